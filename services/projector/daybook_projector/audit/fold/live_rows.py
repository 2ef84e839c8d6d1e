"""A live table's rows in key order, streamed by binary COPY: takes a table and optionally an org, and yields
pages of rows. Memory is bounded.
"""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Final

from daybook_infra.runtime.postgres.connections import Connection
from daybook_projector.audit.checks.live_values import LiveRow, RowReader
from daybook_projector.audit.log.copy_out import copied_rows
from daybook_projector.projections.auth_users import AUTH_USERS
from daybook_projector.projections.changes import Table
from daybook_projector.projections.connection_activity import CONNECTION_ACTIVITY
from daybook_projector.projections.dlq_events import DLQ_EVENTS
from daybook_projector.projections.integration_alerts import INTEGRATION_ALERTS
from daybook_projector.projections.orgs import ORGS
from daybook_projector.projections.project_members import PROJECT_MEMBERS
from daybook_projector.projections.sync_runs import SYNC_RUNS

_OF_ITS_PROJECTS: Final = "{row}.project_id IN (SELECT id FROM public.projects WHERE org_id = $1)"
_OF_ITS_CONNECTIONS: Final = "{row}.connection_id IN (SELECT id FROM public.source_connections WHERE org_id = $1)"
_OF_ORG: Final[Mapping[Table, str]] = {
    AUTH_USERS: "false AND {row}.id = $1",
    ORGS: "{row}.id = $1",
    PROJECT_MEMBERS: _OF_ITS_PROJECTS,
    INTEGRATION_ALERTS: _OF_ITS_PROJECTS,
    CONNECTION_ACTIVITY: _OF_ITS_CONNECTIONS,
    SYNC_RUNS: _OF_ITS_CONNECTIONS,
    DLQ_EVENTS: _OF_ITS_CONNECTIONS,
}
"""For each table without org_id: the condition in SQL that a row belongs to the org $1. Users belong to no org."""


async def live_rows(
    connection: Connection, table: Table, org_id: str | None = None
) -> AsyncGenerator[list[LiveRow], None]:
    """Nothing else may use the connection until the generator ends. If it is closed before, the connection is closed
    too. Wrap the reading in `translated`.
    """
    read = RowReader(table).read
    arguments = () if org_id is None else (org_id,)
    async with aclosing(copied_rows(connection, _query(table, of_org=org_id is not None), *arguments)) as rows:
        async for page in rows:
            yield [read(fields) for fields in page]


def is_of_org(table: Table, row: str) -> str:
    """A condition in SQL: that this row of the table belongs to the org $1."""
    return _OF_ORG.get(table, "{row}.org_id = $1").format(row=row)


def _query(table: Table, *, of_org: bool) -> str:
    """PostgreSQL orders uuids by their bytes, as the fold orders keys."""
    condition = f"WHERE {is_of_org(table, 'live')}" if of_org else ""
    columns, key = ", ".join(table.columns), ", ".join(table.key)
    return f"SELECT {columns} FROM {table.name} AS live {condition} ORDER BY {key}"  # noqa: S608 - names of our own tables
