"""Verifies a live Daybook: the sources to verify in, results out. All sources are cut at the checkpoints of one
snapshot.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import Final

from daybook_contracts.log.head import NOTHING_PROJECTED
from daybook_contracts.routing import partition_of
from daybook_infra.runtime.errors import (
    DatabaseAway,
    DatabaseRefuses,
    DaybookError,
    KafkaAway,
    KafkaRefuses,
    SettingsError,
)
from daybook_infra.runtime.settings import Settings
from daybook_projector.audit.checks import digest
from daybook_projector.audit.checks.finding import Finding, Findings
from daybook_projector.audit.fold.scratch import scratch_folder
from daybook_projector.audit.log.table import TableLog
from daybook_projector.audit.log.topic import open_topic
from daybook_projector.audit.verify import jobs
from daybook_projector.audit.verify.jobs import Sources
from daybook_projector.audit.verify.partition import Task
from daybook_projector.audit.verify.report import BEGINNING, PartitionReport, Start, TableReport, Verified
from daybook_projector.audit.verify.snapshot import AuditSnapshot, open_snapshot
from daybook_projector.audit.verify.workers import ShowProgress, Workers, open_workers
from daybook_projector.projections.auth_users import AUTH_USERS
from daybook_projector.projections.fold import AUDITED_TABLES

SCOPES: Final = ("topic", "audit_log", "tables")
COUNTED_TABLES: Final = frozenset({"source_connections", "sync_runs", "dlq_events"})
"""The tables that give the activity of connections. If one of them differs from the log, a count of its rows would
be wrong too, so the stored activity is not compared.
"""
_REFUSALS: Final = (DatabaseRefuses, KafkaRefuses)
"""Errors of a server that was reached. Its source exists, so the source must not be left out silently."""


@dataclass(frozen=True, slots=True)
class Request:
    """`scopes`: what must be verified; None for everything whose server can be reached. `starts`: for each partition,
    where a certificate ends.
    """

    scopes: frozenset[str] | None = None
    starts: Mapping[int, Start] | None = None
    org_id: str | None = None

    def wants(self, *scopes: str) -> bool:
        return self.scopes is None or not self.scopes.isdisjoint(scopes)


async def verify(settings: Settings, request: Request, show_progress: ShowProgress) -> Verified:
    """Raises `DaybookError` if a requested source, or every source, cannot be checked."""
    async with AsyncExitStack() as stack:
        found = await _find_sources(settings, request, stack)
        run = _Run(settings, request, found)
        with show_progress(run.expected, "entries") as advance:
            workers = await stack.enter_async_context(open_workers(run.expected, advance))
            return await run.verify(workers)


@dataclass(frozen=True, slots=True)
class _Found:
    """The sources that were reached. `ends`: the end offset of each partition of the topic; empty without the topic.
    `refused`: errors of servers that were reached.
    """

    sources: Sources
    snapshot: AuditSnapshot | None
    ends: Mapping[int, int]
    unreached: tuple[str, ...]
    refused: tuple[str, ...]

    @property
    def scope(self) -> tuple[str, ...]:
        sources = self.sources
        held = {"topic": sources.topic, "audit_log": sources.audit_log, "tables": sources.folder is not None}
        return tuple(scope for scope in SCOPES if held[scope])


async def _find_sources(settings: Settings, request: Request, stack: AsyncExitStack) -> _Found:
    left_out: dict[str, DaybookError] = {}
    snapshot, ends = None, None
    if request.wants("audit_log", "tables"):
        try:
            snapshot = await stack.enter_async_context(open_snapshot(settings))
        except (DatabaseAway, SettingsError) as error:
            left_out["audit_log and the tables"] = error
    if request.wants("topic"):
        try:
            ends = await _topic_ends(settings)
        except (KafkaAway, SettingsError) as error:
            left_out["the topic"] = error
    if (request.scopes is not None and left_out) or (snapshot is None and ends is None):
        raise DaybookError("; ".join(_described(left_out)))
    folder = None
    if snapshot is not None and request.wants("tables") and request.starts is None:
        folder = stack.enter_context(scratch_folder("daybook-audit-"))
    sources = Sources(
        settings=settings,
        topic=ends is not None,
        audit_log=snapshot is not None and (request.wants("audit_log") or ends is None),
        snapshot_id=None if snapshot is None else snapshot.id,
        folder=folder,
    )
    refused = {source: error for source, error in left_out.items() if isinstance(error, _REFUSALS)}
    unreached = {source: error for source, error in left_out.items() if source not in refused}
    return _Found(sources, snapshot, ends or {}, _described(unreached), _described(refused))


def _described(errors: Mapping[str, DaybookError]) -> tuple[str, ...]:
    return tuple(f"{source}: {error}" for source, error in errors.items())


async def _topic_ends(settings: Settings) -> dict[int, int]:
    async with open_topic(settings) as topic:
        await topic.require_partitions()
        return {partition: (await topic.bounds(partition))[1] for partition in range(settings.partitions)}


class _Run:
    def __init__(self, settings: Settings, request: Request, found: _Found) -> None:
        self._request = request
        self._found = found
        self._partitions = settings.partitions
        self._tasks = [self._task(partition) for partition in self._numbers()]

    @property
    def expected(self) -> int:
        """The number of entries to read."""
        return sum(map(self._size, self._tasks))

    async def verify(self, workers: Workers) -> Verified:
        found, findings = self._found, Findings()
        ordered = sorted(self._tasks, key=self._size, reverse=True)
        reports = await workers.all(partial(jobs.check_partition, found.sources, task) for task in ordered)
        reports.sort(key=lambda report: report.partition)
        findings.extend(await self._rows_without_place())
        unfoldable = tuple(each.unfoldable for each in reports if each.unfoldable is not None)
        tables = [] if unfoldable else await self._tables(workers)
        for partition in reports:
            findings.extend(partition.findings, partition.unlisted)
        for table in tables:
            findings.extend(table.findings, table.unlisted)
        if not any(table.findings for table in tables if table.name in COUNTED_TABLES):
            recounted = await self._activity(workers)
            findings.extend(recounted.listed, recounted.unlisted)
        if found.sources.audit_log and self._request.org_id is None:
            tables.append(_audit_log(reports))
        return Verified(
            scope=tuple(scope for scope in found.scope if not (unfoldable and scope == "tables")),
            partitions=tuple(reports),
            tables=tuple(sorted(tables, key=lambda table: table.name)),
            quarantined=() if found.snapshot is None else found.snapshot.quarantined,
            findings=tuple(findings.listed),
            unlisted=findings.unlisted,
            unreached=found.unreached,
            unchecked=(*found.refused, *(f"the tables: {reason}" for reason in unfoldable)),
        )

    def _numbers(self) -> Iterable[int]:
        org_id = self._request.org_id
        return range(self._partitions) if org_id is None else [partition_of(org_id, self._partitions)]

    def _task(self, partition: int) -> Task:
        snapshot = self._found.snapshot
        starts = self._request.starts or {}
        return Task(
            partition=partition,
            partitions=self._partitions,
            start=starts.get(partition, BEGINNING),
            cut=None if snapshot is None else snapshot.checkpoints.get(partition, NOTHING_PROJECTED),
            quarantined=() if snapshot is None else snapshot.quarantined_in(partition),
            org_id=self._request.org_id,
        )

    def _size(self, task: Task) -> int:
        if task.cut is None:
            return self._found.ends.get(task.partition, 0)
        return max(0, task.cut.head.position - task.start.head.position)

    async def _rows_without_place(self) -> list[Finding]:
        snapshot = self._found.snapshot
        if snapshot is None or not self._found.sources.audit_log or self._request.org_id is not None:
            return []
        rows = await TableLog(snapshot.connection).rows_without_place(self._partitions)
        return [
            Finding(check="partition", place="audit_log", id=id_, found=f"{partition}.{position}")
            for id_, partition, position in rows
        ]

    async def _tables(self, workers: Workers) -> list[TableReport]:
        sources, org_id = self._found.sources, self._request.org_id
        if sources.folder is None:
            return []
        compared = [
            table for table in AUDITED_TABLES if table is not AUTH_USERS or (sources.managed_users and org_id is None)
        ]
        return await workers.all(
            partial(jobs.check_table, sources, table, self._partitions, org_id) for table in compared
        )

    async def _activity(self, workers: Workers) -> Findings:
        """Needs no log, so it is done even if an entry is redacted."""
        sources = self._found.sources
        if sources.folder is None:
            return Findings()
        (findings,) = await workers.all([partial(jobs.check_activity, sources, self._request.org_id)])
        return findings


def _audit_log(reports: Sequence[PartitionReport]) -> TableReport:
    rows = sum(report.rows for report in reports)
    return TableReport("audit_log", rows, digest.of_partitions(report.digest for report in reports))
