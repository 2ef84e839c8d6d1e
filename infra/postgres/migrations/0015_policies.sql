-- last: the roles that the policies name may be made later than the tables.
-- Row-level security on the ten tables: who sees a row. A role that no policy names sees none. The owner is not subject
-- to it, and neither are roles with BYPASSRLS, as the services have it.
--
-- Functions are called in sub-selects that name nothing of the row, so that they run once a statement. The casts make each
-- of these sub-selects one array for ANY, which an index can serve, rather than a set.
--
-- A row's project or connection is looked up by its key, row by row. With EXISTS instead, PostgreSQL may first hash all
-- connections that the user sees, for a page of 50 rows.

DO $$
DECLARE
    of_org text := 'org_id = ANY ((SELECT daybook.my_orgs())::uuid[])';
    of_admins text := $using$org_id = ANY ((SELECT daybook.my_orgs('owner', 'admin'))::uuid[])$using$;
    of_project text := $using$
        project_id = ANY ((SELECT daybook.my_projects())::uuid[])
        OR (SELECT p.org_id FROM public.projects AS p WHERE p.id = project_id)
            = ANY ((SELECT daybook.my_orgs('owner', 'admin'))::uuid[])
    $using$;
    rules text[] := ARRAY[
        ['orgs', 'id = ANY ((SELECT daybook.my_orgs())::uuid[])'],
        ['org_members', of_org],
        ['projects', of_org],
        ['project_members', of_project],
        ['source_connections', $using$
            org_id = ANY ((SELECT daybook.my_orgs('owner', 'admin'))::uuid[])
            OR project_id = ANY ((SELECT daybook.my_projects())::uuid[])
        $using$],
        -- The sub-select is itself under the policy of source_connections, whose rule is the same.
        ['sync_runs', '(SELECT true FROM public.source_connections AS c WHERE c.id = connection_id)'],
        ['dlq_events', $using$
            (
                SELECT c.org_id = ANY ((SELECT daybook.my_orgs('owner', 'admin'))::uuid[])
                    OR c.project_id = ANY ((SELECT daybook.my_projects('admin', 'editor'))::uuid[])
                FROM public.source_connections AS c WHERE c.id = connection_id
            )
        $using$],
        ['integration_alerts', of_project],
        ['secret_refs', of_admins],
        ['audit_log', of_admins]
    ];
    rule text[];
    policy record;
BEGIN
    FOREACH rule SLICE 1 IN ARRAY rules LOOP
        IF NOT (SELECT relrowsecurity FROM pg_class WHERE oid = format('public.%I', rule[1])::regclass) THEN
            EXECUTE format('ALTER TABLE public.%I ENABLE ROW LEVEL SECURITY', rule[1]);
        END IF;
        FOR policy IN
            SELECT wanted.name, wanted.condition, array_agg(r.rolname ORDER BY r.rolname) AS roles
            FROM (VALUES
                ('readers', rule[2], ARRAY['daybook_reader', 'authenticated']),
                ('auditors', 'true', ARRAY['daybook_auditor', 'service_role'])
            ) AS wanted (name, condition, roles) JOIN pg_roles AS r ON r.rolname = ANY (wanted.roles)
            GROUP BY wanted.name, wanted.condition
        LOOP
            -- To make a policy locks the table against readers, so it is made again only if other roles exist by now.
            CONTINUE WHEN EXISTS (
                SELECT FROM pg_policies AS made WHERE made.schemaname = 'public' AND made.tablename = rule[1]
                    AND made.policyname = policy.name AND made.roles = policy.roles
            );
            EXECUTE format('DROP POLICY IF EXISTS %I ON public.%I', policy.name, rule[1]);
            EXECUTE format('CREATE POLICY %I ON public.%I FOR SELECT TO %s USING (%s)', policy.name, rule[1],
                (SELECT string_agg(quote_ident(named), ', ') FROM unnest(policy.roles) AS named), policy.condition);
        END LOOP;
    END LOOP;
END
$$;
