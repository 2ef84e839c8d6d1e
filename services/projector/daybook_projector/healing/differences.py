"""Compares an org's live rows with its shadow tables and corrects them, in the caller's transaction."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

from daybook_infra.runtime.postgres.connections import Connection
from daybook_projector.healing.org_log import Unhealable
from daybook_projector.healing.shadow_tables import SHADOWS
from daybook_projector.postgres.row_writer import translated_refusals
from daybook_projector.projections.changes import FoldError, Table
from daybook_projector.projections.dlq_events import DLQ_EVENTS
from daybook_projector.projections.integration_alerts import INTEGRATION_ALERTS
from daybook_projector.projections.orgs import ORGS
from daybook_projector.projections.project_members import PROJECT_MEMBERS
from daybook_projector.projections.projects import PROJECTS
from daybook_projector.projections.sync_runs import SYNC_RUNS

ALL_TABLES: Final = tuple(SHADOWS)
KEY_TABLES: Final = (ORGS, PROJECTS)
"""The tables to which the projector adds rows while the org is in quarantine."""
OTHER_TABLES: Final = tuple(table for table in ALL_TABLES if table not in KEY_TABLES)

OF_ITS_PROJECTS: Final = "old.project_id IN (SELECT id FROM public.projects WHERE org_id = $1)"
OF_ITS_CONNECTIONS: Final = "old.connection_id IN (SELECT id FROM public.source_connections WHERE org_id = $1)"
SCOPES: Final = {
    ORGS: "old.id = $1",
    PROJECT_MEMBERS: OF_ITS_PROJECTS,
    INTEGRATION_ALERTS: OF_ITS_PROJECTS,
    SYNC_RUNS: OF_ITS_CONNECTIONS,
    DLQ_EVENTS: OF_ITS_CONNECTIONS,
}
"""Which rows belong to an org, where the table has no org_id."""


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


def total_difference(table: str, differences: Iterable[Difference]) -> Difference:
    found = [each for each in differences if each.table == table]
    missing, other, surplus = (sum(counts) for counts in zip(*(each.counts for each in found), strict=True))
    return Difference(table, missing, other, surplus)


async def correct_rows(connection: Connection, org_id: str, tables: Sequence[Table]) -> list[Difference]:
    """`tables`: parents before children. Deletes first, as deleted rows may hold values that other rows need. Raises
    `Unhealable` if a row cannot be written, for example because another org has its id.
    """
    surplus = {table: await _run(connection, remove(table), table, org_id) for table in reversed(tables)}
    other = {table: await _run(connection, change(table), table, org_id) for table in tables}
    missing = {table: await _run(connection, add(table), table, org_id) for table in tables}
    return [Difference(table.name, missing[table], other[table], surplus[table]) for table in tables]


async def _run(connection: Connection, statement: str, table: Table, org_id: str) -> int:
    try:
        with translated_refusals():
            tag = await connection.execute(statement, org_id)
    except FoldError as error:
        raise Unhealable(f"rows of {table.name} cannot be written: {error}") from error
    return int(tag.rpartition(" ")[2])


@cache
def remove(table: Table) -> str:
    """In a table with a unique constraint, a row that differs is deleted and inserted again: another row may need its
    value.
    """
    same = f"NOT ({_differ(table)})" if table.unique else "true"
    return f"""
        DELETE FROM {table.name} AS old WHERE {_scope(table)}
        AND NOT EXISTS (SELECT FROM {SHADOWS[table].name} AS new WHERE {_same_key(table)} AND {same})
    """  # noqa: S608 - names of our own tables, here and below


@cache
def change(table: Table) -> str:
    changes = ", ".join(f"{column} = new.{column}" for column in _others(table))
    return f"""
        UPDATE {table.name} AS old SET {changes} FROM {SHADOWS[table].name} AS new
        WHERE {_scope(table)} AND {_same_key(table)} AND ({_differ(table)})
    """  # noqa: S608


@cache
def add(table: Table) -> str:
    columns = ", ".join(table.columns)
    return f"""
        INSERT INTO {table.name} ({columns}) SELECT {columns} FROM {SHADOWS[table].name} AS new
        WHERE NOT EXISTS (SELECT FROM {table.name} AS old WHERE {_scope(table)} AND {_same_key(table)})
    """  # noqa: S608


def _scope(table: Table) -> str:
    return SCOPES.get(table, "old.org_id = $1")


def _same_key(table: Table) -> str:
    return " AND ".join(f"old.{column} = new.{column}" for column in table.key)


def _differ(table: Table) -> str:
    return " OR ".join(f"old.{column} IS DISTINCT FROM new.{column}" for column in _others(table))


def _others(table: Table) -> list[str]:
    return [column for column in table.columns if column not in table.key]
