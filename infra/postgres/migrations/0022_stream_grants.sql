-- last: as 0021_grants.sql, which gives readers every function of schema daybook, and which it follows.
-- daybook.log_readers speaks for any user: it is for the projector, whose login is a gateway.

DO $$
DECLARE
    others text := (
        SELECT string_agg(rolname, ', ') FROM pg_roles
        WHERE rolname IN ('daybook_reader', 'daybook_auditor', 'authenticated', 'service_role')
            AND rolname <> current_user
    );
    statement text;
BEGIN
    FOREACH statement IN ARRAY ARRAY[
        'REVOKE ALL ON FUNCTION daybook.log_readers FROM ' || others || ' CASCADE',
        (SELECT 'GRANT EXECUTE ON FUNCTION daybook.log_readers TO daybook_projector'
            FROM pg_roles WHERE rolname = 'daybook_projector')
    ] LOOP
        CONTINUE WHEN statement IS NULL;
        EXECUTE statement;
    END LOOP;
END
$$;
