-- last: it runs again after every run that applies something, and once a role that was missing is there.
-- What each role may do: docs/security.md has the table. First everything is taken away, so that nothing stays of what an
-- earlier version or an administrator granted. So a later file that grants these roles more starts with `-- last:` too, and
-- has a higher number. Where this login may not grant something, `daybook init` names the statement for an administrator.

DO $$
DECLARE
    tables text[] := ARRAY['orgs', 'org_members', 'projects', 'project_members', 'audit_log', 'source_connections',
        'sync_runs', 'dlq_events', 'integration_alerts', 'secret_refs'];
    ten text := (SELECT string_agg('public.' || t, ', ') FROM unnest(tables) AS t);
    nine text := (SELECT string_agg('public.' || t, ', ') FROM unnest(tables) AS t WHERE t <> 'audit_log');
    -- Without row-level security, a reader would see all orgs.
    guarded text := (
        SELECT string_agg('public.' || relname, ', ') FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relname = ANY (tables) AND relrowsecurity
    );
    functions text := (
        SELECT string_agg(oid::regprocedure::text, ', ') FROM pg_proc
        WHERE pronamespace = 'daybook'::regnamespace AND prorettype <> 'trigger'::regtype
    );
    managed boolean := EXISTS (SELECT FROM daybook.migrations WHERE name = '0002_users.sql');
    -- A role that is missing is NULL, and so is each statement about it: it is skipped.
    command text := (SELECT rolname FROM pg_roles WHERE rolname = 'daybook_command');
    projector text := (SELECT rolname FROM pg_roles WHERE rolname = 'daybook_projector');
    -- Supabase's roles get the rights themselves: they inherit nothing from roles that they are members of.
    readers text := (
        SELECT string_agg(rolname, ', ') FROM pg_roles
        WHERE rolname IN ('daybook_reader', 'authenticated') AND rolname <> current_user
    );
    auditors text := (
        SELECT string_agg(rolname, ', ') FROM pg_roles
        WHERE rolname IN ('daybook_auditor', 'service_role') AND rolname <> current_user
    );
    all_five text := (
        SELECT string_agg(rolname, ', ') FROM pg_roles WHERE rolname IN
            ('daybook_command', 'daybook_projector', 'daybook_reader', 'daybook_auditor', 'daybook_gateway')
    );
    services text := nullif(concat_ws(', ', command, projector), '');
    everybody text := nullif(concat_ws(', ', command, projector, readers, auditors), '');
    own text[] := ARRAY[
        'REVOKE ALL ON TABLE ' || ten || ' FROM ' || all_five || ' CASCADE',
        'REVOKE ALL ON ALL TABLES IN SCHEMA daybook FROM ' || all_five || ' CASCADE',
        'REVOKE ALL ON ALL ROUTINES IN SCHEMA daybook FROM ' || all_five || ' CASCADE',
        'REVOKE ALL ON SCHEMA daybook FROM ' || all_five || ' CASCADE',
        'GRANT USAGE ON SCHEMA daybook TO ' || everybody,

        'GRANT SELECT ON TABLE ' || ten || ' TO ' || command,
        'GRANT SELECT ON TABLE daybook.migrations, daybook.checkpoints, daybook.quarantine TO ' || command,
        'GRANT SELECT, INSERT ON TABLE daybook.reserved_ids TO ' || command,
        'GRANT SELECT ON TABLE daybook.known_users TO ' || command,
        CASE WHEN NOT managed THEN 'GRANT INSERT ON TABLE daybook.known_users TO ' || command END,

        'GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE ' || nine || ' TO ' || projector,
        'GRANT SELECT, INSERT ON TABLE public.audit_log TO ' || projector,
        'GRANT SELECT, INSERT, UPDATE ON TABLE daybook.checkpoints, daybook.quarantine TO ' || projector,
        'GRANT INSERT ON TABLE daybook.reserved_ids TO ' || projector,
        'GRANT SELECT ON TABLE daybook.migrations TO ' || projector,

        'GRANT SELECT ON TABLE ' || guarded || ' TO ' || readers,
        'GRANT EXECUTE ON FUNCTION ' || functions || ' TO ' || readers,
        'GRANT SELECT ON TABLE ' || ten || ' TO ' || auditors,
        'GRANT SELECT ON ALL TABLES IN SCHEMA daybook TO ' || auditors,
        'GRANT EXECUTE ON FUNCTION ' || functions || ' TO ' || auditors
    ];
    -- The schemas and auth.users may belong to somebody else, and so may roles that another database made first.
    foreign_objects text[] := ARRAY[
        'GRANT USAGE ON SCHEMA public TO ' || everybody,
        'GRANT USAGE ON SCHEMA auth TO ' || nullif(concat_ws(', ', services, auditors), ''),
        CASE WHEN managed THEN 'REVOKE ALL ON TABLE auth.users FROM ' || all_five || ' CASCADE' END,
        'GRANT SELECT (id) ON TABLE auth.users TO ' || CASE WHEN managed THEN command ELSE services END,
        CASE WHEN managed THEN 'GRANT SELECT, INSERT ON TABLE auth.users TO ' || projector END,
        'GRANT SELECT ' || CASE WHEN managed THEN '' ELSE '(id) ' END || 'ON TABLE auth.users TO ' || auditors,
        (SELECT 'GRANT daybook_gateway TO authenticator' FROM pg_roles AS gateway, pg_roles AS login
            WHERE gateway.rolname = 'daybook_gateway' AND login.rolname = 'authenticator'
                AND NOT pg_has_role(login.oid, gateway.oid, 'MEMBER'))
    ];
    statement text;
BEGIN
    FOREACH statement IN ARRAY own LOOP
        CONTINUE WHEN statement IS NULL;
        EXECUTE statement;
    END LOOP;
    FOREACH statement IN ARRAY foreign_objects LOOP
        CONTINUE WHEN statement IS NULL;
        BEGIN
            EXECUTE statement;
        EXCEPTION
            -- The last two: an init of another database has just granted the same membership.
            WHEN insufficient_privilege OR internal_error OR unique_violation THEN NULL;
        END;
    END LOOP;
END
$$;
