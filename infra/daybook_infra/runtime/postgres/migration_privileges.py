"""Finds the privileges that the role of `daybook init` lacks: to create schemas, tables and references, and to see
users.
"""

from typing import Final, Literal

from daybook_infra.runtime.postgres.connections import Connection
from daybook_infra.runtime.postgres.privileges import RequiredPrivilege, find_missing_privileges

# A schema that does not exist yet has to be created, which takes CREATE on the database.
CREATION: Final = """
SELECT required.name, n.oid IS NOT NULL AS schema_exists,
    CASE
        WHEN n.oid IS NULL THEN has_database_privilege(current_database(), 'CREATE')
        ELSE has_schema_privilege(n.oid, 'CREATE') AND has_schema_privilege(n.oid, 'USAGE')
    END AS may_create
FROM unnest($1::text[]) AS required (name) LEFT JOIN pg_namespace n ON n.nspname = required.name
"""
# Only the owner of a table, or a member of the owner's role, may alter it.
OTHER_OWNERS: Final = """
SELECT DISTINCT quote_ident(pg_get_userbyid(c.relowner)) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'daybook' AND c.relkind = 'r' AND NOT pg_has_role(c.relowner, 'USAGE')
"""
NAMES: Final = "SELECT quote_ident(current_user), quote_ident(current_database())"
MIGRATIONS = RequiredPrivilege("daybook.migrations", ("SELECT",))


async def find_missing_migration_privileges(
    connection: Connection, users: Literal["managed", "external"], *, pending: bool
) -> list[str]:
    """One line for each missing privilege. `pending`: whether there is a migration to apply. With external users, both
    services read the provider's table.
    """
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
    refused = [row for row in await connection.fetch(CREATION, schemas) if not row["may_create"]]
    owners = [row[0] for row in await connection.fetch(OTHER_OWNERS)]
    lines = []
    if not all(row["schema_exists"] for row in refused):
        lines.append(f"CREATE on database {database}: GRANT CREATE ON DATABASE {database} TO {role};")
    lines += [
        f"CREATE on schema {row['name']}: GRANT CREATE, USAGE ON SCHEMA {row['name']} TO {role};"
        for row in refused
        if row["schema_exists"]
    ]
    return [*lines, *(f"the rights of {owner}, who owns schema daybook: GRANT {owner} TO {role};" for owner in owners)]
