"""Checks privileges in PostgreSQL before anything is done: required privileges in, a line for each missing one out,
with the statement that grants it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from daybook_infra.runtime.errors import DaybookError
from daybook_infra.runtime.postgres.connections import Connection, connect
from daybook_infra.runtime.settings import Settings

# Reads only the catalogue, which every role may read. A statement that names the tables would need USAGE on their
# schemas.
PRIVILEGES_HELD: Final = """
SELECT need.at, need.schema, need.privilege,
    has_schema_privilege(s.oid, 'USAGE') AS may_name,
    CASE
        WHEN a.attnum IS NULL THEN has_table_privilege(c.oid, need.privilege)
        ELSE has_column_privilege(c.oid, a.attnum, need.privilege)
    END AS may_use,
    row_security_active(c.oid) AS hidden
FROM unnest($1::int[], $2::text[], $3::text[], $4::text[], $5::text[]) AS need (at, schema, name, "column", privilege)
JOIN pg_namespace s ON s.nspname = need.schema
JOIN pg_class c ON c.relnamespace = s.oid AND c.relname = need.name
LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = need."column" AND NOT a.attisdropped
"""
ROLE: Final = "SELECT quote_ident(current_user)"


class PrivilegesMissing(DaybookError):
    """The database's role lacks privileges. The message has the lines of `find_missing_privileges`."""


@dataclass(frozen=True, slots=True)
class RequiredPrivilege:
    """Privileges on a table, named `schema.name`. If `column` is set, privileges on that column are enough."""

    table: str
    privileges: tuple[str, ...]
    column: str | None = None


async def verify_privileges(settings: Settings, required: Sequence[RequiredPrivilege]) -> None:
    """Raises `PrivilegesMissing`, `DatabaseAway`. Tables that do not exist are ignored."""
    async with connect(settings, "daybook-rights") as connection:
        raise_if_missing(await connection.fetchval(ROLE), await find_missing_privileges(connection, required))


def raise_if_missing(role: str, missing: Sequence[str]) -> None:
    if missing:
        lines = "\n".join(f"  {line}" for line in missing)
        raise PrivilegesMissing(
            f"PostgreSQL's role {role} lacks rights, which an owner or a superuser can give:\n{lines}"
        )


async def find_missing_privileges(connection: Connection, required: Sequence[RequiredPrivilege]) -> list[str]:
    """Lines that say what is missing: one for each schema, then one for each table or column in the order given, then
    one for all tables with rows that row-level security hides.
    """
    role: str = await connection.fetchval(ROLE)
    asked = [
        (at, *each.table.split("."), each.column, privilege)
        for at, each in enumerate(required)
        for privilege in each.privileges
    ]
    rows = await connection.fetch(PRIVILEGES_HELD, *zip(*asked, strict=True))
    schemas = dict.fromkeys(row["schema"] for row in rows if not row["may_name"])
    lacking = {(row["at"], row["privilege"]) for row in rows if not row["may_use"]}
    grants = [
        _grant_line(each, [privilege for privilege in each.privileges if (at, privilege) in lacking], role)
        for at, each in enumerate(required)
    ]
    hidden = ", ".join(dict.fromkeys(required[row["at"]].table for row in rows if row["hidden"]))
    return [
        *(f"USAGE on schema {schema}: GRANT USAGE ON SCHEMA {schema} TO {role};" for schema in schemas),
        *filter(None, grants),
        *([f"to see the rows of {hidden} (row-level security): ALTER ROLE {role} BYPASSRLS;"] if hidden else []),
    ]


def _grant_line(required: RequiredPrivilege, privileges: Sequence[str], role: str) -> str | None:
    if not privileges:
        return None
    column = "" if required.column is None else f" ({required.column})"
    granted = ", ".join(f"{privilege}{column}" for privilege in privileges)
    return f"{', '.join(privileges)} on {required.table}: GRANT {granted} ON {required.table} TO {role};"
