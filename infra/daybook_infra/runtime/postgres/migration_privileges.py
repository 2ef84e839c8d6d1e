"""What the role that runs `daybook init` must be allowed to do: make schemas, tables and references, and see users."""

from typing import Final, Literal

from daybook_infra.runtime.postgres.connections import Connection
from daybook_infra.runtime.postgres.privileges import RequiredPrivilege, find_missing_privileges

# A schema that does not exist yet is made.
CREATION: Final = """
SELECT wanted.name, n.oid IS NOT NULL AS there,
    CASE
        WHEN n.oid IS NULL THEN has_database_privilege(current_database(), 'CREATE')
        ELSE has_schema_privilege(n.oid, 'CREATE') AND has_schema_privilege(n.oid, 'USAGE')
    END AS may
FROM unnest($1::text[]) AS wanted (name) LEFT JOIN pg_namespace n ON n.nspname = wanted.name
"""
# Only the owner of a table, or a member of the owner's role, may alter it.
OWNERS: Final = """
SELECT DISTINCT quote_ident(pg_get_userbyid(c.relowner)) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'daybook' AND c.relkind = 'r' AND NOT pg_has_role(c.relowner, 'USAGE')
"""
NAMES: Final = "SELECT quote_ident(current_user), quote_ident(current_database())"
MIGRATIONS = RequiredPrivilege("daybook.migrations", ("SELECT",))


async def find_missing_migration_privileges(
    connection: Connection, users: Literal["managed", "external"], *, pending: bool
) -> list[str]:
    """`pending`: there is a migration to apply. With external users, both services read the provider's table."""
    required = [MIGRATIONS]
    if users == "external":
        required.append(RequiredPrivilege("auth.users", ("SELECT", "REFERENCES") if pending else ("SELECT",), "id"))
    missing = await find_missing_privileges(connection, required)
    if not pending:
        return missing
    schemas = ["daybook", "public"] if users == "external" else ["daybook", "public", "auth"]
    return [*await _missing_to_create(connection, schemas), *missing]


async def _missing_to_create(connection: Connection, schemas: list[str]) -> list[str]:
    ((role, database),) = await connection.fetch(NAMES)
    refused = [row for row in await connection.fetch(CREATION, schemas) if not row["may"]]
    owners = [row[0] for row in await connection.fetch(OWNERS)]
    lines = []
    if not all(row["there"] for row in refused):
        lines.append(f"CREATE on database {database}: GRANT CREATE ON DATABASE {database} TO {role};")
    lines += [
        f"CREATE on schema {row['name']}: GRANT CREATE, USAGE ON SCHEMA {row['name']} TO {role};"
        for row in refused
        if row["there"]
    ]
    return [*lines, *(f"the rights of {owner}, who owns schema daybook: GRANT {owner} TO {role};" for owner in owners)]
