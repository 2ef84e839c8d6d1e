"""Finds what is left to do for the roles of Daybook: whether the files that create them and grant their rights
(0013_roles.sql, 0021_grants.sql) have to run again, and which statements only an administrator can run.
"""

from typing import Final

from daybook_infra.runtime.postgres.connections import Connection, connect
from daybook_infra.runtime.settings import Settings, as_administrator

# Everything that `daybook init` creates belongs to one role, whoever runs the command: the owner of schema daybook, who
# ran the first `daybook init`.
AS_OWNER: Final = """
SELECT format('SET LOCAL ROLE %I', pg_get_userbyid(nspowner)) FROM pg_namespace
WHERE nspname = 'daybook' AND pg_get_userbyid(nspowner) <> current_user AND pg_has_role(nspowner, 'MEMBER')
"""
# A role without USAGE was created after the last run. Only the schema's owner can grant USAGE, and only a login with
# CREATEROLE can create roles.
DUE: Final = """
SELECT pg_has_role(schema.nspowner, 'USAGE') AND (
    EXISTS (
        SELECT FROM pg_roles WHERE rolname IN ('daybook_command', 'daybook_projector', 'daybook_reader',
            'daybook_auditor', 'authenticated', 'service_role') AND NOT has_schema_privilege(oid, schema.oid, 'USAGE')
    )
    OR (SELECT rolcreaterole OR rolsuper FROM pg_roles WHERE rolname = current_user) AND (
        SELECT count(*) FROM pg_roles WHERE rolname IN ('daybook_command', 'daybook_projector', 'daybook_reader',
            'daybook_auditor', 'daybook_gateway')
    ) < 5
) FROM pg_namespace AS schema WHERE nspname = 'daybook'
"""
LEFT: Final = """
SELECT format('CREATE ROLE %s NOLOGIN%s;', named, CASE WHEN is_service THEN ' BYPASSRLS' ELSE '' END)
FROM unnest(ARRAY['daybook_command', 'daybook_projector', 'daybook_reader', 'daybook_auditor', 'daybook_gateway'],
    ARRAY[true, true, false, false, false]) AS wanted (named, is_service)
WHERE to_regrole(named) IS NULL
UNION ALL
SELECT format('ALTER ROLE %s BYPASSRLS;', rolname) FROM pg_roles
WHERE rolname IN ('daybook_command', 'daybook_projector') AND NOT rolbypassrls
UNION ALL
SELECT format('GRANT USAGE ON SCHEMA %s TO %s;', nspname, rolname) FROM pg_namespace, pg_roles
WHERE (nspname IN ('auth', 'public') AND rolname IN ('daybook_command', 'daybook_projector', 'daybook_auditor')
        OR nspname = 'public' AND rolname = 'daybook_reader')
    AND NOT has_schema_privilege(pg_roles.oid, pg_namespace.oid, 'USAGE')
UNION ALL
SELECT format('GRANT SELECT (id) ON auth.users TO %s;', rolname) FROM pg_roles
WHERE rolname IN ('daybook_command', 'daybook_projector', 'daybook_auditor')
    AND NOT has_column_privilege(oid, 'auth.users', 'id', 'SELECT')
UNION ALL
SELECT 'GRANT daybook_gateway TO authenticator;' FROM pg_roles
WHERE rolname = 'authenticator' AND NOT pg_has_role(oid, to_regrole('daybook_gateway'), 'MEMBER')
"""


async def act_as_owner(connection: Connection) -> None:
    """Acts as the owner until the transaction ends or sets another role. Does nothing if the login cannot do this."""
    statement = await connection.fetchval(AS_OWNER)
    if statement is not None:
        await connection.execute(statement)


async def are_roles_due(connection: Connection) -> bool:
    """Whether this login can make roles that are missing, or give roles what they lack."""
    return bool(await connection.fetchval(DUE))


async def find_statements_for_administrator(settings: Settings) -> tuple[str, ...]:
    """Statements for what `daybook init` was not allowed to do for Daybook's roles. Call this after `migrate`."""
    async with connect(as_administrator(settings), "daybook-init") as connection:
        return tuple(row[0] for row in await connection.fetch(LEFT))
