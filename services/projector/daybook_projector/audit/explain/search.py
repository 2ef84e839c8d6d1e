"""Finds the org of a row, and the partitions that may have its entries, in the caller's snapshot."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from daybook_contracts.routing import partition_of
from daybook_infra.runtime.postgres.connections import Connection
from daybook_projector.audit.checks.live_values import LiveRow, RowReader
from daybook_projector.audit.explain.row_name import RowName
from daybook_projector.audit.log.copy_out import copied_rows
from daybook_projector.projections.auth_users import AUTH_USERS
from daybook_projector.projections.changes import Table
from daybook_projector.projections.dlq_events import DLQ_EVENTS
from daybook_projector.projections.integration_alerts import INTEGRATION_ALERTS
from daybook_projector.projections.org_members import ORG_MEMBERS
from daybook_projector.projections.orgs import ORGS
from daybook_projector.projections.project_members import PROJECT_MEMBERS
from daybook_projector.projections.projects import PROJECTS
from daybook_projector.projections.secret_refs import SECRET_REFS
from daybook_projector.projections.source_connections import SOURCE_CONNECTIONS
from daybook_projector.projections.sync_runs import SYNC_RUNS

_ORG_OF: Final[Mapping[Table, str]] = {
    PROJECTS: "SELECT org_id::text FROM public.projects WHERE id = $1",
    PROJECT_MEMBERS: "SELECT org_id::text FROM public.projects WHERE id = $1",
    SECRET_REFS: "SELECT org_id::text FROM public.secret_refs WHERE id = $1",
    SOURCE_CONNECTIONS: "SELECT org_id::text FROM public.source_connections WHERE id = $1",
    SYNC_RUNS: """
        SELECT c.org_id::text FROM public.sync_runs AS r JOIN public.source_connections AS c ON c.id = r.connection_id
         WHERE r.id = $1
    """,
    DLQ_EVENTS: """
        SELECT c.org_id::text FROM public.dlq_events AS d JOIN public.source_connections AS c ON c.id = d.connection_id
         WHERE d.id = $1
    """,
    INTEGRATION_ALERTS: """
        SELECT p.org_id::text FROM public.integration_alerts AS a JOIN public.projects AS p ON p.id = a.project_id
         WHERE a.id = $1
    """,
}
"""For each table, a query for the org of a live row, by the first id of the row's key."""

# The partial index on raised alerts serves the first query. The second scans the table on the server, without sorting.
_RAISED: Final = """
SELECT org_id::text FROM public.audit_log
 WHERE entity_id = $1 AND action = 'RAISE_ALERT' AND result = 'success' LIMIT 1
"""
_CREATED: Final = """
SELECT org_id::text FROM public.audit_log
 WHERE entity_id = $1 AND entity_type = $2 AND result = 'success' AND org_id IS NOT NULL LIMIT 1
"""
_NOUNS: Final[Mapping[Table, str]] = {
    SECRET_REFS: "secret_ref",
    SOURCE_CONNECTIONS: "source_connection",
    SYNC_RUNS: "sync_run",
    DLQ_EVENTS: "dlq_event",
}
"""The entity types of the tables whose rows can be deleted and whose keys name neither an org nor a project. Alerts are
left out: `_RAISED` finds them.
"""


@dataclass(frozen=True, slots=True)
class Search:
    """`how` tells people which partitions are read, and how the org was found. If it was not found, `org_id` is None
    and all partitions are read. A user has no org: `org_id` is None, and only the user's own partition is read.
    """

    partitions: tuple[int, ...]
    org_id: str | None
    how: str


def everywhere(partitions: int) -> Search:
    return Search(tuple(range(partitions)), None, "all partitions, as its org is not known")


async def find_place(connection: Connection, name: RowName, partitions: int, org_id: str | None) -> Search:
    """Wrap it in `translated`."""
    table, first = name.projection, name.key[0]
    if table is AUTH_USERS:
        home = partition_of(first, partitions)
        return Search((home,), None, f"partition {home}, the user's own")
    if org_id is not None:
        return _of_org(org_id, partitions, "given with --org")
    if table in {ORGS, ORG_MEMBERS}:
        return _of_org(first, partitions, "named by the key")
    found = await connection.fetchval(_ORG_OF[table], first)
    if found is not None:
        return _of_org(found, partitions, "found in the tables")
    if table is INTEGRATION_ALERTS:
        found = await connection.fetchval(_RAISED, first)
    elif table in _NOUNS:
        found = await connection.fetchval(_CREATED, first, _NOUNS[table])
    return everywhere(partitions) if found is None else _of_org(found, partitions, "found in audit_log")


async def live_row(connection: Connection, name: RowName) -> LiveRow | None:
    """Wrap it in `translated`."""
    table = name.projection
    condition = " AND ".join(f"{column} = ${at}" for at, column in enumerate(table.key, start=1))
    query = f"SELECT {', '.join(table.columns)} FROM {table.name} WHERE {condition}"  # noqa: S608 - our own names
    rows = [fields async for page in copied_rows(connection, query, *name.key) for fields in page]
    return RowReader(table).read(rows[0]) if rows else None


def _of_org(org_id: str, partitions: int, how: str) -> Search:
    home = partition_of(org_id, partitions)
    return Search((home,), org_id, f"partition {home} of org {org_id}, {how}")
