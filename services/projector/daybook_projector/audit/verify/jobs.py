"""The parts of a verification that run in parallel, each in a separate process if there is much to read. Each opens its
own connections and uses the common snapshot.
"""

import asyncio
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import uvloop

from daybook_infra.runtime.settings import Settings
from daybook_projector.audit.checks.finding import Findings
from daybook_projector.audit.fold.compare_rows import compare_table
from daybook_projector.audit.fold.fold import PartitionFold, merged_rows
from daybook_projector.audit.fold.live_rows import live_rows
from daybook_projector.audit.log.table import TableLog
from daybook_projector.audit.log.topic import open_topic
from daybook_projector.audit.verify.activity import recount
from daybook_projector.audit.verify.partition import PartitionCheck, Task
from daybook_projector.audit.verify.report import PartitionReport, TableReport
from daybook_projector.audit.verify.snapshot import join_snapshot
from daybook_projector.audit.verify.workers import count_read
from daybook_projector.projections.changes import Table
from daybook_projector.projections.fold import folds


@dataclass(frozen=True, slots=True)
class Sources:
    """What is read. `snapshot_id`: None without PostgreSQL. `folder`: has the folds; None if no tables are compared."""

    settings: Settings
    topic: bool
    audit_log: bool
    snapshot_id: str | None
    folder: Path | None

    @property
    def managed_users(self) -> bool:
        return self.settings.users == "managed"


def check_partition(sources: Sources, task: Task) -> PartitionReport:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_check_partition(sources, task))


def check_table(sources: Sources, table: Table, partitions: int, org_id: str | None) -> TableReport:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_check_table(sources, table, partitions, org_id))


def check_activity(sources: Sources, org_id: str | None) -> Findings:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_check_activity(sources, org_id))


async def _check_partition(sources: Sources, task: Task) -> PartitionReport:
    async with AsyncExitStack() as stack:
        topic = await stack.enter_async_context(open_topic(sources.settings)) if sources.topic else None
        table = None
        if sources.audit_log and sources.snapshot_id is not None:
            connection = await stack.enter_async_context(join_snapshot(sources.settings, sources.snapshot_id))
            table = TableLog(connection)
        fold = None
        if sources.folder is not None:
            frozen = {each.org_id: each.position for each in task.quarantined}
            rules = folds(managed_users=sources.managed_users)
            fold = PartitionFold(sources.folder, task.partition, rules, frozen)
            stack.callback(fold.close)
        return await PartitionCheck(task, topic, table, fold, count_read).run()


async def _check_table(sources: Sources, table: Table, partitions: int, org_id: str | None) -> TableReport:
    rules = folds(managed_users=sources.managed_users)
    folder, snapshot_id = sources.folder, sources.snapshot_id
    if folder is None or snapshot_id is None:
        raise ValueError("a comparison of tables needs folder and snapshot_id")
    async with AsyncExitStack() as stack:
        connection = await stack.enter_async_context(join_snapshot(sources.settings, snapshot_id))
        kept = [PartitionFold(folder, partition, rules) for partition in range(partitions)]
        for fold in kept:
            stack.callback(fold.close)
        findings = Findings()
        folded = stack.enter_context(closing(merged_rows(kept, table)))
        totals = await compare_table(table, folded, live_rows(connection, table, org_id), findings)
    digest = bytes.fromhex(totals.digest)
    return TableReport(totals.name, totals.rows, digest, tuple(findings.listed), findings.unlisted)


async def _check_activity(sources: Sources, org_id: str | None) -> Findings:
    if sources.snapshot_id is None:
        raise ValueError("a recount of activity needs snapshot_id")
    findings = Findings()
    async with join_snapshot(sources.settings, sources.snapshot_id) as connection:
        async for finding in recount(connection, org_id):
            findings.add(finding)
    return findings
