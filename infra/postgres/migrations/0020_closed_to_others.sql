-- last: it runs again after every run that applies something, so that what later files make is closed too.
-- Only roles that were granted something by name reach what Daybook makes. PostgreSQL gives EXECUTE on every function to
-- PUBLIC, and default privileges (as Supabase has them) may give everything to roles of an API. They are not altered: they
-- are the owner's, for other tables too. Grants to any other role stay.

DO $$
DECLARE
    tables text[] := ARRAY['orgs', 'org_members', 'projects', 'project_members', 'audit_log', 'source_connections',
        'sync_runs', 'dlq_events', 'integration_alerts', 'secret_refs'];
    others text := 'PUBLIC' || coalesce((
        SELECT string_agg(', ' || quote_ident(rolname), '') FROM pg_roles
        WHERE rolname IN ('anon', 'authenticated', 'service_role') AND rolname <> current_user
    ), '');
    named text;
BEGIN
    FOREACH named IN ARRAY tables LOOP
        EXECUTE format('REVOKE ALL ON TABLE public.%I FROM %s CASCADE', named, others);
    END LOOP;
    -- In managed mode, auth.users is Daybook's as well. USAGE on the schema may be needed for what others keep there.
    IF EXISTS (SELECT FROM daybook.migrations WHERE name = '0002_users.sql') THEN
        EXECUTE format('REVOKE ALL ON TABLE auth.users FROM %s CASCADE', others);
        EXECUTE format('REVOKE CREATE ON SCHEMA auth FROM %s CASCADE', others);
    END IF;
    EXECUTE format('REVOKE ALL ON ALL TABLES IN SCHEMA daybook FROM %s CASCADE', others);
    EXECUTE format('REVOKE ALL ON ALL SEQUENCES IN SCHEMA daybook FROM %s CASCADE', others);
    EXECUTE format('REVOKE ALL ON ALL ROUTINES IN SCHEMA daybook FROM %s CASCADE', others);
    EXECUTE format('REVOKE ALL ON SCHEMA daybook FROM %s CASCADE', others);
END
$$;
