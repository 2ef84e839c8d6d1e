"""Checks of a schema with row-level security, like those of Supabase's linter. Each check has a query that lists what
is wrong, and a fault that the query must find. Queries read only PostgreSQL's catalogue, with an empty search_path.
"""

from typing import Final, NamedTuple


class Check(NamedTuple):
    query: str
    """Returns a line for each object that is wrong."""
    fault: str
    """Statements after which the query returns a line."""


_OURS: Final = "n.nspname IN ('public', 'daybook')"
_TABLES: Final = f"pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace AND c.relkind IN ('r', 'p') AND {_OURS}"
_FUNCTIONS: Final = f"pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace AND {_OURS}"
_POLICIES: Final = "pg_policies p WHERE p.schemaname IN ('public', 'daybook')"
_READERS: Final = "ARRAY['public', 'anon', 'authenticated', 'daybook_reader']::name[]"

CHECKS: Final = {
    "every table in public has row-level security": Check(
        f"SELECT c.relname FROM {_TABLES} WHERE n.nspname = 'public' AND NOT c.relrowsecurity",
        "CREATE TABLE public.fault (id uuid PRIMARY KEY)",
    ),
    "every table with row-level security has a policy": Check(
        f"""SELECT c.relname FROM {_TABLES}
             WHERE c.relrowsecurity AND NOT EXISTS (SELECT FROM pg_policy WHERE polrelid = c.oid)""",
        "DROP POLICY readers ON public.orgs; DROP POLICY auditors ON public.orgs",
    ),
    "a table with a policy has row-level security": Check(
        f"""SELECT c.relname FROM {_TABLES}
             WHERE NOT c.relrowsecurity AND EXISTS (SELECT FROM pg_policy WHERE polrelid = c.oid)""",
        "ALTER TABLE public.orgs DISABLE ROW LEVEL SECURITY",
    ),
    "every table has policies for readers and auditors": Check(
        f"""SELECT c.relname FROM {_TABLES} WHERE n.nspname = 'public' AND (
                SELECT array_agg(p.roles ORDER BY p.policyname) FROM pg_policies p WHERE p.tablename = c.relname
            ) IS DISTINCT FROM '{{{{daybook_auditor,service_role}},{{authenticated,daybook_reader}}}}'::name[]""",
        "ALTER POLICY readers ON public.orgs TO daybook_reader, anon",
    ),
    "policies are for SELECT only": Check(
        f"SELECT p.tablename || '.' || p.policyname FROM {_POLICIES} AND p.cmd <> 'SELECT'",
        "CREATE POLICY fault ON public.orgs FOR DELETE TO daybook_reader USING (id IS NULL)",
    ),
    "no role has two permissive policies for one action": Check(
        """SELECT p.tablename || ' ' || role FROM pg_policies p, unnest(p.roles) AS role
             WHERE p.permissive = 'PERMISSIVE' AND p.schemaname IN ('public', 'daybook')
             GROUP BY p.tablename, role, p.cmd HAVING count(*) > 1""",
        "CREATE POLICY fault ON public.orgs FOR SELECT TO daybook_reader USING (false)",
    ),
    "no policy shows readers everything": Check(
        f"SELECT p.tablename || '.' || p.policyname FROM {_POLICIES} AND p.qual = 'true' AND p.roles && {_READERS}",
        "ALTER POLICY readers ON public.orgs USING (true)",
    ),
    # Users can change `user_metadata` in their own tokens, so a token must not give rights.
    "policies read nothing from the token": Check(
        f"SELECT p.tablename || '.' || p.policyname FROM {_POLICIES} AND p.qual ~ 'jwt|claims|metadata|setting'",
        "ALTER POLICY readers ON public.orgs USING (name = current_setting('request.jwt.claims'))",
    ),
    # PostgreSQL prints `( SELECT daybook.my_orgs() AS my_orgs)`.
    "functions in policies are called once per statement": Check(
        rf"""SELECT p.tablename || '.' || p.policyname FROM {_POLICIES}
             AND regexp_replace(p.qual, '\( SELECT (daybook|auth)\.\w+\(', '', 'g') ~ '(daybook|auth)\.\w+\('""",
        "ALTER POLICY readers ON public.orgs USING (id = ANY (daybook.my_orgs()))",
    ),
    "foreign keys are indexed": Check(
        f"""SELECT k.conrelid::regclass || ' ' || pg_get_constraintdef(k.oid)
              FROM pg_constraint k JOIN ({_TABLES}) ON c.oid = k.conrelid
             WHERE k.contype = 'f' AND NOT EXISTS (
                SELECT FROM pg_index i WHERE i.indrelid = k.conrelid AND i.indpred IS NULL
                    AND (i.indkey::int2[])[0:cardinality(k.conkey) - 1] @> k.conkey
             )""",
        "DROP INDEX public.org_members_user_id",
    ),
    "every table has a primary key": Check(
        f"""SELECT c.relname FROM {_TABLES}
             WHERE NOT EXISTS (SELECT FROM pg_index WHERE indrelid = c.oid AND indisprimary)""",
        "CREATE TABLE daybook.fault (id uuid)",
    ),
    "no index is duplicated": Check(
        f"""SELECT c.relname FROM {_TABLES} JOIN pg_index i ON i.indrelid = c.oid
             GROUP BY c.relname, c.oid, i.indkey::text, pg_get_expr(i.indpred, c.oid), pg_get_expr(i.indexprs, c.oid)
            HAVING count(*) > 1""",
        "CREATE INDEX ON public.orgs (id)",
    ),
    "no index is invalid": Check(
        "SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid",
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'public.orgs_pkey'::regclass",
    ),
    # The names in a body of the form RETURN or BEGIN ATOMIC were resolved when the function was made.
    "functions have a fixed search_path": Check(
        f"""SELECT p.proname FROM {_FUNCTIONS} WHERE p.prosqlbody IS NULL
             AND 'search_path=""' <> ALL (coalesce(p.proconfig, '{{}}'))""",
        "ALTER FUNCTION daybook.outcome RESET search_path",
    ),
    "functions that run as the owner belong to the owner of the tables": Check(
        f"""SELECT p.proname FROM {_FUNCTIONS} WHERE p.prosecdef AND p.proowner <> (
                SELECT relowner FROM pg_class WHERE oid = 'public.orgs'::regclass
            )""",
        "ALTER FUNCTION daybook.my_orgs OWNER TO CURRENT_USER",
    ),
    "functions that run as the owner are not in an exposed schema": Check(
        f"SELECT p.proname FROM {_FUNCTIONS} WHERE p.prosecdef AND n.nspname = 'public'",
        "CREATE FUNCTION public.fault() RETURNS int LANGUAGE sql SECURITY DEFINER RETURN 1",
    ),
    "only granted roles may call functions": Check(
        f"""SELECT p.proname FROM {_FUNCTIONS}, unnest(ARRAY['anon', 'passer_by']) AS role
             WHERE has_function_privilege(role, p.oid, 'EXECUTE')""",
        "GRANT EXECUTE ON FUNCTION daybook.my_orgs TO PUBLIC",
    ),
    "there are no views, materialized views or foreign tables": Check(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('v', 'm', 'f')",
        "CREATE VIEW public.fault AS SELECT id FROM auth.users",
    ),
    "there are no extensions in public": Check(
        "SELECT extname FROM pg_extension WHERE extnamespace = 'public'::regnamespace",
        "CREATE EXTENSION IF NOT EXISTS plpgsql; UPDATE pg_extension SET extnamespace = 'public'::regnamespace",
    ),
    # pg_upgrade refuses columns of most of these types.
    "no column is of a reg type": Check(
        f"""SELECT c.relname || '.' || a.attname FROM {_TABLES} JOIN pg_attribute a ON a.attrelid = c.oid
             WHERE a.attnum > 0 AND a.atttypid::regtype::text LIKE 'reg%' AND a.atttypid <> 'regclass'::regtype""",
        "ALTER TABLE public.orgs ADD COLUMN fault regrole",
    ),
    # Realtime would send deletes to everybody.
    "no table is published": Check(
        "SELECT pubname || ' ' || tablename FROM pg_publication_tables WHERE schemaname IN ('public', 'daybook')",
        "CREATE PUBLICATION fault FOR TABLE public.orgs",
    ),
}
ACCEPTED: Final = {
    # Projects are never deleted and users rarely, and an index would cost time for every entry.
    "foreign keys are indexed": {
        "public.audit_log FOREIGN KEY (project_id) REFERENCES public.projects(id)",
        "public.audit_log FOREIGN KEY (actor_user_id) REFERENCES auth.users(id) ON DELETE RESTRICT",
    },
}
"""The findings that each check may have in Daybook's schema."""
