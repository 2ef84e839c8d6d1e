-- last: as 0021_grants.sql, which takes everything in schema daybook away from these roles first.

DO $$
DECLARE
    statement text;
BEGIN
    FOREACH statement IN ARRAY ARRAY[
        (SELECT 'GRANT SELECT ON TABLE daybook.connection_activity TO daybook_command'
            FROM pg_roles WHERE rolname = 'daybook_command'),
        (SELECT 'GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE daybook.connection_activity TO daybook_projector'
            FROM pg_roles WHERE rolname = 'daybook_projector')
    ] LOOP
        CONTINUE WHEN statement IS NULL;
        EXECUTE statement;
    END LOOP;
END
$$;
