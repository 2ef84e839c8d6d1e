"""Compares live tables with their shadows, in the caller's snapshot. Notes the keys of the rows that differ, and how
these rows differ, in the tables of keys.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

from daybook_infra.runtime.postgres.connections import Connection
from daybook_projector.audit.fold.live_rows import is_of_org
from daybook_projector.projections.auth_users import AUTH_USERS
from daybook_projector.projections.changes import Table
from daybook_projector.projections.org_members import ORG_MEMBERS
from daybook_projector.projections.project_members import PROJECT_MEMBERS
from daybook_projector.rebuild.shadow_tables import ShadowTables

EXAMPLES: Final = 3
"""The maximum number of examples for each kind of difference in a table."""
KINDS: Final = ("missing", "other", "surplus")


@dataclass(frozen=True, slots=True)
class Difference:
    """How many rows of a table were missing, different, or surplus."""

    table: str
    missing: int = 0
    other: int = 0
    surplus: int = 0

    @property
    def counts(self) -> tuple[int, int, int]:
        return self.missing, self.other, self.surplus

    def __bool__(self) -> bool:
        return any(self.counts)


@dataclass(frozen=True, slots=True)
class Example:
    """A row that differs. `columns`: the columns that differ."""

    table: str
    kind: str
    key: tuple[str, ...]
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Comparison:
    differences: tuple[Difference, ...] = ()
    examples: tuple[Example, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.differences)


def total_difference(table: str, differences: Iterable[Difference]) -> Difference:
    found = [each for each in differences if each.table == table]
    missing, other, surplus = (sum(counts) for counts in zip(*(each.counts for each in found), strict=True))
    return Difference(table, missing, other, surplus)


async def compare(connection: Connection, shadows: ShadowTables, org_id: str | None) -> Comparison:
    """Compares all rows of all tables, or of one org, and notes the keys of those that differ."""
    arguments = () if org_id is None else (org_id,)
    for table in shadows.tables:
        where = "true" if org_id is None else is_of_org(table, "each")
        live = f"(SELECT * FROM {table.name} AS each WHERE {where})"  # noqa: S608 - names of our own tables, here and below
        await connection.execute(note_differences(table, live, shadows.of(table).name, shadows.keys(table)), *arguments)
    if AUTH_USERS in shadows.tables:
        await connection.execute(keep_referenced_users(shadows))
    for table in shadows.tables:
        await connection.execute(f"ANALYZE {shadows.keys(table)}")
    return await _noted(connection, shadows)


async def _noted(connection: Connection, shadows: ShadowTables) -> Comparison:
    differences, examples = [], []
    for table in shadows.tables:
        keys = shadows.keys(table)
        rows = await connection.fetch(f"SELECT difference, count(*) FROM {keys} GROUP BY difference")  # noqa: S608
        counts = {row[0]: row[1] for row in rows}
        difference = Difference(table.name, *(counts.get(kind, 0) for kind in KINDS))
        if difference:
            differences.append(difference)
            examples += [each for kind in KINDS for each in await _examples(connection, table, keys, kind)]
    return Comparison(tuple(differences), tuple(examples))


async def _examples(connection: Connection, table: Table, keys: str, kind: str) -> Sequence[Example]:
    key = ", ".join(f"{column}::text" for column in table.key)
    query = f"SELECT columns, {key} FROM {keys} WHERE difference = $1 ORDER BY {', '.join(table.key)} LIMIT {EXAMPLES}"  # noqa: S608
    return [Example(table.name, kind, tuple(row[1:]), tuple(row[0])) for row in await connection.fetch(query, kind)]


def note_differences(table: Table, live: str, shadow: str, keys: str) -> str:
    key = ", ".join(f"coalesce(old.{column}, new.{column})" for column in table.key)
    named = ", ".join(f"CASE WHEN old.{each} IS DISTINCT FROM new.{each} THEN '{each}' END" for each in compared(table))
    first = table.key[0]
    return f"""
        INSERT INTO {keys} ({", ".join(table.key)}, difference, columns)
        SELECT {key},
               CASE WHEN old.{first} IS NULL THEN 'missing' WHEN new.{first} IS NULL THEN 'surplus' ELSE 'other' END,
               CASE WHEN old.{first} IS NULL OR new.{first} IS NULL THEN '{{}}'::text[]
                    ELSE array_remove(ARRAY[{named}]::text[], NULL) END
          FROM {live} AS old FULL JOIN {shadow} AS new ON {same_key(table)}
         WHERE old.{first} IS NULL OR new.{first} IS NULL OR {differ(table)}
        ON CONFLICT ({", ".join(table.key)}) DO UPDATE SET difference = excluded.difference, columns = excluded.columns
    """  # noqa: S608


def keep_referenced_users(shadows: ShadowTables) -> str:
    """A user who is not in the log does not count as surplus while a row refers to the user."""
    references = " OR ".join(
        f"EXISTS (SELECT FROM {name} AS each WHERE each.{column} = noted.id)"
        for name, column in (
            (shadows.of(ORG_MEMBERS).name, "user_id"),
            (shadows.of(PROJECT_MEMBERS).name, "user_id"),
            ("public.audit_log", "actor_user_id"),
        )
    )
    return f"DELETE FROM {shadows.keys(AUTH_USERS)} AS noted WHERE difference = 'surplus' AND ({references})"  # noqa: S608


@cache
def same_key(table: Table) -> str:
    return " AND ".join(f"old.{column} = new.{column}" for column in table.key)


@cache
def differ(table: Table) -> str:
    return " OR ".join(f"old.{column} IS DISTINCT FROM new.{column}" for column in compared(table)) or "false"


@cache
def compared(table: Table) -> tuple[str, ...]:
    """The columns that are compared: all except the key. Of users, only the ids are compared."""
    return () if table is AUTH_USERS else tuple(column for column in table.columns if column not in table.key)
