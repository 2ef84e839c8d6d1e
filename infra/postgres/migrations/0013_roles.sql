-- last: roles belong to the cluster, not to this database: a restored database comes without them.
-- The roles that logins get Daybook's rights from. Another database of this cluster may have made them already, or may be
-- making them now. They are left out if the role of `daybook init` may not make roles: `daybook init` then names the
-- statements for an administrator, and only the owner of the tables can use them. So a file that names these roles tests
-- whether they exist, and starts with `-- last:`, so that it runs again once they do.

DO $$
DECLARE
    named text;
BEGIN
    FOREACH named IN ARRAY ARRAY['daybook_command', 'daybook_projector', 'daybook_reader', 'daybook_auditor',
        'daybook_gateway'] LOOP
        CONTINUE WHEN EXISTS (SELECT FROM pg_roles WHERE rolname = named);
        BEGIN
            EXECUTE format('CREATE ROLE %I NOLOGIN', named);
        EXCEPTION
            -- Two inits at once: the second waits for the first to commit, and then finds the name taken.
            WHEN duplicate_object OR unique_violation THEN NULL;
            WHEN insufficient_privilege THEN NULL;
        END;
    END LOOP;

    -- The services write with COPY, which PostgreSQL refuses under row-level security.
    FOR named IN
        SELECT rolname FROM pg_roles WHERE rolname IN ('daybook_command', 'daybook_projector') AND NOT rolbypassrls
    LOOP
        BEGIN
            EXECUTE format('ALTER ROLE %I BYPASSRLS', named);
        EXCEPTION
            -- Another init has just done the same ("tuple concurrently updated").
            WHEN internal_error THEN NULL;
            WHEN insufficient_privilege THEN NULL;
        END;
    END LOOP;
END
$$;
