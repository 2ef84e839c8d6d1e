"""Lists open alerts, sync runs and connections from the projected tables: a scope in, a page of rows out. Raises
`DaybookError` if an org, a project or a connection of the scope does not exist.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, Generic, TypeVar, get_args
from uuid import UUID

from daybook_contracts.entries.fields import Rule
from daybook_contracts.entries.identity import policy_alert_id
from daybook_infra.operations.listing_sql import (
    ALERTS,
    CONNECTIONS,
    CONNECTIONS_OF_PROJECTS,
    PENDING_COUNTED,
    RUNS,
    UNKNOWN,
    Scope,
)
from daybook_infra.runtime.errors import DaybookError
from daybook_infra.runtime.postgres.connections import OwnConnection, connect
from daybook_infra.runtime.postgres.migrations import verify_migrations
from daybook_infra.runtime.postgres.row_visibility import show_every_row
from daybook_infra.runtime.settings import Settings

APPLICATION: Final = "daybook-listing"
RULES: Final[tuple[str, ...]] = get_args(Rule)
# The connections of two full orgs. Limits the search for the connection of a policy's alert.
CONNECTIONS_TRIED: Final = 20_000

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """`more`: whether there are more rows than the limit."""

    rows: tuple[Row, ...]
    more: bool


@dataclass(frozen=True, slots=True)
class ListedAlert:
    """An open alert. `rule` is None unless a policy raised it. `connection_id` is None if the alert has no connection,
    or an unknown one.
    """

    id: str
    severity: str
    org_id: str
    project_id: str
    connection_id: str | None
    rule: str | None
    message: str


@dataclass(frozen=True, slots=True)
class ListedRun:
    id: str
    status: str
    org_id: str
    project_id: str
    connection_id: str
    started_at: datetime
    finished_at: datetime | None
    error_message: str | None


@dataclass(frozen=True, slots=True)
class SourceConnection:
    """`pending_dlq_events` is exact up to 1000; 1001 means more."""

    id: str
    type: str
    name: str
    is_active: bool
    org_id: str
    project_id: str
    pending_dlq_events: int


async def alerts(settings: Settings, scope: Scope, severities: Sequence[str]) -> Page[ListedAlert]:
    """Ordered by severity, critical first, then by org and project."""
    of_policies = [] if scope.connection_id is None else list(_policy_alerts(str(scope.connection_id)))
    async with _open_tables(settings, scope) as tables:
        rows = await tables.fetch(ALERTS, list(severities), *_scope_ids(scope), of_policies, scope.limit + 1)
        found = _page([_listed_alert(row) for row in rows], scope)
        return replace(found, rows=await _with_rules(tables, found.rows))


async def runs(settings: Settings, scope: Scope, statuses: Sequence[str]) -> Page[ListedRun]:
    """Newest first, by their start."""
    async with _open_tables(settings, scope) as tables:
        rows = await tables.fetch(RUNS, list(statuses), *_scope_ids(scope), scope.limit + 1)
    return _page([ListedRun(**_with_ids_as_text(row)) for row in rows], scope)


async def connections(
    settings: Settings, scope: Scope, type_: str | None, *, active_too: bool
) -> Page[SourceConnection]:
    """Ordered by org, project and name. A connection that `scope` names is listed even if it is active."""
    also_active = active_too or scope.connection_id is not None
    async with _open_tables(settings, scope) as tables:
        rows = await tables.fetch(CONNECTIONS, also_active, type_, *_scope_ids(scope), scope.limit + 1, PENDING_COUNTED)
    return _page([SourceConnection(**_with_ids_as_text(row)) for row in rows], scope)


@asynccontextmanager
async def _open_tables(settings: Settings, scope: Scope) -> AsyncIterator[OwnConnection]:
    await verify_migrations(settings)
    async with connect(settings, APPLICATION) as connection, connection.transaction(readonly=True):
        await show_every_row(connection)
        if unknown := await connection.fetch(UNKNOWN, *_scope_ids(scope)):
            raise DaybookError("\n".join(row[0] for row in unknown))
        yield connection


def _scope_ids(scope: Scope) -> tuple[UUID | None, UUID | None, UUID | None]:
    return scope.org_id, scope.project_id, scope.connection_id


def _page(rows: Sequence[Row], scope: Scope) -> Page[Row]:
    return Page(tuple(rows[: scope.limit]), more=len(rows) > scope.limit)


def _with_ids_as_text(row: Any) -> dict[str, Any]:
    return {name: str(value) if isinstance(value, UUID) else value for name, value in row.items()}


def _listed_alert(row: Any) -> ListedAlert:
    return ListedAlert(**_with_ids_as_text(row), rule=None)


async def _with_rules(tables: OwnConnection, found: Sequence[ListedAlert]) -> tuple[ListedAlert, ...]:
    """Adds the rules and connections of policies' alerts. The id of such an alert is the UUIDv5 of its connection and
    rule, so this computes the ids for all connections of the alerts' projects, and compares them.
    """
    projects = {alert.project_id for alert in found if UUID(alert.id).version == 5}
    if not projects:
        return tuple(found)
    rows = await tables.fetch(CONNECTIONS_OF_PROJECTS, list(projects), CONNECTIONS_TRIED)
    origins = {
        alert_id: (str(row["id"]), rule) for row in rows for alert_id, rule in _policy_alerts(str(row["id"])).items()
    }
    return tuple(
        replace(alert, connection_id=origins[alert.id][0], rule=origins[alert.id][1]) if alert.id in origins else alert
        for alert in found
    )


def _policy_alerts(connection_id: str) -> dict[str, str]:
    return {policy_alert_id(connection_id, rule): rule for rule in RULES}
