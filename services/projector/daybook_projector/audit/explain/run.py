"""Explains a row: its name in, its history out. Everything is cut at the checkpoints of one snapshot."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial

import uvloop

from daybook_contracts.log.head import NOTHING_PROJECTED
from daybook_infra.runtime.postgres.connections import translated
from daybook_infra.runtime.settings import Settings
from daybook_projector.audit.checks.row_hash import json_value, row_bytes
from daybook_projector.audit.explain.row_name import RowName
from daybook_projector.audit.explain.search import Search, everywhere, find_place, live_row
from daybook_projector.audit.explain.trace import RowHistory, RowTrace, merged
from daybook_projector.audit.log.source import LogName, ReadSource
from daybook_projector.audit.verify.snapshot import AuditSnapshot, open_snapshot
from daybook_projector.audit.verify.workers import count_read, open_workers
from daybook_projector.projections.auth_users import AUTH_USERS
from daybook_projector.projections.changes import Row, Table
from daybook_projector.projections.fold import folds

Show = Callable[[int, str], AbstractContextManager[Callable[[int], None]]]


@dataclass(frozen=True, slots=True)
class Explained:
    """`until`: the last projected position of each partition that was read. `is_live_same`: whether the live row is
    what the log says; None if this was not compared.
    """

    name: RowName
    history: RowHistory
    search: Search
    log: LogName
    until: Mapping[int, int]
    is_live_same: bool | None


@dataclass(frozen=True, slots=True)
class TraceTask:
    name: RowName
    partition: int
    until: int
    org_id: str | None
    frozen: Mapping[str, int]


async def explain_row(settings: Settings, name: RowName, org_id: str | None, log: LogName, show: Show) -> Explained:
    """Raises `DaybookError`."""
    async with open_snapshot(settings) as snapshot:
        with translated():
            search = await find_place(snapshot.connection, name, settings.partitions, org_id)
        reading = partial(_read, settings, snapshot, name, log, show)
        history = await reading(search)
        if not history.steps and org_id is None and len(search.partitions) < settings.partitions:
            # A row that was tampered with may name the wrong org.
            search = everywhere(settings.partitions)
            history = await reading(search)
        is_same = None
        if _is_comparable(settings, name, search, history, org_id):
            with translated():
                live = await live_row(snapshot.connection, name)
            is_same = _jcs(name.projection, history.row) == (None if live is None else live.row)
        until = {partition: _end(snapshot, partition) for partition in search.partitions}
        return Explained(name, history, search, log, until, is_same)


def _is_comparable(settings: Settings, name: RowName, search: Search, history: RowHistory, org_id: str | None) -> bool:
    """External users are not compared: they belong to the identity provider. Nor is a row without entries of the given
    org, because it may belong to another org.
    """
    if name.projection is AUTH_USERS and settings.users != "managed":
        return False
    return bool(history.steps) or org_id is None or search.org_id != org_id


async def _read(
    settings: Settings, snapshot: AuditSnapshot, name: RowName, log: LogName, show: Show, search: Search
) -> RowHistory:
    source = ReadSource(settings, log, snapshot.id)
    tasks = [_task(snapshot, name, partition, search.org_id) for partition in search.partitions]
    expected = sum(task.until + 1 for task in tasks)
    with show(expected, "entries read") as advance:
        async with open_workers(expected, advance) as workers:
            return merged(await workers.all(partial(trace_partition, source, task) for task in tasks))


def trace_partition(source: ReadSource, task: TraceTask) -> RowHistory:
    """Raises `DaybookError`."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_trace(source, task))


async def _trace(source: ReadSource, task: TraceTask) -> RowHistory:
    trace = RowTrace(task.name, task.partition, folds(managed_users=source.managed_users), task.frozen)
    async with source.entries(task.partition, task.until, task.org_id) as pages:
        async for page in pages:
            trace.take(page)
            count_read(len(page))
    return trace.history


def _task(snapshot: AuditSnapshot, name: RowName, partition: int, org_id: str | None) -> TraceTask:
    frozen = {each.org_id: each.position for each in snapshot.quarantined_in(partition)}
    return TraceTask(name, partition, _end(snapshot, partition), org_id, frozen)


def _end(snapshot: AuditSnapshot, partition: int) -> int:
    return snapshot.checkpoints.get(partition, NOTHING_PROJECTED).head.position


def _jcs(table: Table, row: Row | None) -> bytes | None:
    if row is None:
        return None
    return row_bytes(
        {column: json_value(str(value)) if table.columns[column] == "jsonb" else value for column, value in row.items()}
    )
