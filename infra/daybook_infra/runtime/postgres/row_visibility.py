"""Lets auditors read every row although row-level security applies to them. Takes an open transaction, and checks that
the auditors' policies hide no row; from then on, the transaction reads under these policies.

Connections are opened with row_security off, so that a statement fails if rows could be hidden from it. An auditor's
role has no BYPASSRLS, and its policies hide nothing, but PostgreSQL does not know that.
"""

from typing import Final

from daybook_infra.runtime.errors import DatabaseRefuses
from daybook_infra.runtime.postgres.connections import Connection

_SECURED: Final = """
SELECT c.oid::regclass::text FROM pg_class AS c
 WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND row_security_active(c.oid)
   AND has_table_privilege(c.oid, 'SELECT')
   AND c.relname IN ('orgs', 'org_members', 'projects', 'project_members', 'audit_log', 'source_connections',
       'sync_runs', 'dlq_events', 'integration_alerts', 'secret_refs')
 ORDER BY 1
"""
# A permissive policy with the condition `true` shows all rows, unless a restrictive one takes some away.
_HIDING: Final = """
WITH applied AS (
    SELECT p.polrelid, p.polpermissive, pg_get_expr(p.polqual, p.polrelid) AS condition FROM pg_policy AS p
     WHERE p.polcmd IN ('r', '*')
       AND EXISTS (SELECT FROM unnest(p.polroles) AS r (role) WHERE role = 0 OR pg_has_role(role, 'USAGE'))
)
SELECT t.name FROM unnest($1::text[]) AS t (name)
 WHERE NOT EXISTS (
        SELECT FROM applied WHERE polrelid = t.name::regclass AND polpermissive AND condition = 'true'
    )
    OR EXISTS (SELECT FROM applied WHERE polrelid = t.name::regclass AND NOT polpermissive)
"""
_ROLE: Final = "SELECT quote_ident(current_user)"


async def show_every_row(connection: Connection) -> None:
    """Call this in the transaction that reads. Does nothing for the owner and for roles with BYPASSRLS. Raises
    `DatabaseRefuses` if a policy could hide a row from this role.
    """
    secured = [row[0] for row in await connection.fetch(_SECURED)]
    if not secured:
        return
    # Until the transaction ends, nobody can change the policies.
    await connection.execute(f"LOCK TABLE {', '.join(secured)} IN ACCESS SHARE MODE")
    hiding = [row[0] for row in await connection.fetch(_HIDING, secured)]
    if hiding:
        role = await connection.fetchval(_ROLE)
        raise DatabaseRefuses(
            f"row-level security can hide rows of {', '.join(hiding)} from PostgreSQL's role {role}: "
            f"GRANT daybook_auditor TO {role};"
        )
    await connection.execute("SET LOCAL row_security = on")
