"""Rights in PostgreSQL, asked for before anything is done: needs in, a line for each missing right out, with the
statement that mends it. Which tables there are is not known here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from daybook_infra.runtime.errors import DaybookError
from daybook_infra.runtime.postgres.connections import Connection, connect
from daybook_infra.runtime.settings import Settings

# By the catalogue alone, which everybody may read: to name a table of a schema takes USAGE on it.
HELD: Final = """
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


class RightsMissing(DaybookError):
    """The database's role may not do what is needed; each missing right is a line."""


@dataclass(frozen=True, slots=True)
class Need:
    """Of a table, as `schema.name`. With a `column`, rights on that one are enough."""

    table: str
    privileges: tuple[str, ...]
    column: str | None = None


async def verify_rights(settings: Settings, needs: Sequence[Need]) -> None:
    """Raises `RightsMissing`, `DatabaseAway`. A table that does not exist is not complained of."""
    async with connect(settings, "daybook-rights") as connection:
        refuse(await connection.fetchval(ROLE), await missing_rights(connection, needs))


def refuse(role: str, missing: Sequence[str]) -> None:
    if missing:
        lines = "\n".join(f"  {line}" for line in missing)
        raise RightsMissing(f"PostgreSQL's role {role} lacks rights, which an owner or a superuser can give:\n{lines}")


async def missing_rights(connection: Connection, needs: Sequence[Need]) -> list[str]:
    """Schemas first, then tables in the order given, then rows that row-level security hides."""
    role: str = await connection.fetchval(ROLE)
    asked = [
        (at, *need.table.split("."), need.column, each) for at, need in enumerate(needs) for each in need.privileges
    ]
    rows = await connection.fetch(HELD, *zip(*asked, strict=True))
    schemas = dict.fromkeys(row["schema"] for row in rows if not row["may_name"])
    lacking = {(row["at"], row["privilege"]) for row in rows if not row["may_use"]}
    grants = [
        _grant(need, [each for each in need.privileges if (at, each) in lacking], role) for at, need in enumerate(needs)
    ]
    hidden = dict.fromkeys(needs[row["at"]].table for row in rows if row["hidden"])
    return [
        *(f"USAGE on schema {schema}: GRANT USAGE ON SCHEMA {schema} TO {role};" for schema in schemas),
        *filter(None, grants),
        *(f"to see the rows of {table} (row-level security): ALTER ROLE {role} BYPASSRLS;" for table in hidden),
    ]


def _grant(need: Need, privileges: Sequence[str], role: str) -> str | None:
    if not privileges:
        return None
    wanted = ", ".join(each if need.column is None else f"{each} ({need.column})" for each in privileges)
    return f"{', '.join(privileges)} on {need.table}: GRANT {wanted} ON {need.table} TO {role};"
