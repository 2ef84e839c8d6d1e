"""The jobs of a rebuild of all tables, which run in parallel, and in separate processes if the log is long. They return
what they find, because an exception from another process loses its attributes.
"""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack, ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import uvloop

from daybook_contracts.log.head import NOTHING_PROJECTED, Checkpoint
from daybook_infra.runtime.postgres.connections import Connection, connect
from daybook_infra.runtime.settings import Settings
from daybook_projector.audit.checks.finding import Finding, Findings
from daybook_projector.audit.fold.compare_rows import compare_table
from daybook_projector.audit.fold.fold import PartitionFold, merged_rows
from daybook_projector.audit.fold.live_rows import live_rows
from daybook_projector.audit.log.topic import open_topic
from daybook_projector.audit.verify.snapshot import join_snapshot
from daybook_projector.audit.verify.workers import count_read
from daybook_projector.projections.auth_users import AUTH_USERS
from daybook_projector.projections.changes import Table
from daybook_projector.projections.fold import TABLES, folds
from daybook_projector.rebuild.filling import fill
from daybook_projector.rebuild.folding import Folded, fold_pages
from daybook_projector.rebuild.log_entries import KeptEntries, LogEntries, LoggedEntries
from daybook_projector.rebuild.shadow_tables import ShadowTables

Source = Literal["topic", "audit_log"]
NAME = "daybook-rebuild"


@dataclass(frozen=True, slots=True)
class Work:
    """What all jobs of a rebuild share. `folder` has the files of the folds, and `schema` the shadow tables."""

    settings: Settings
    source: Source
    snapshot_id: str
    folder: Path
    schema: str

    @property
    def tables(self) -> tuple[Table, ...]:
        """All tables, but without `auth.users` if an identity provider manages the users."""
        managed = self.settings.users == "managed"
        return TABLES if managed else tuple(table for table in TABLES if table is not AUTH_USERS)

    def open_fold(self, partition: int, frozen: Mapping[str, int] | None = None) -> PartitionFold:
        rules = folds(managed_users=self.settings.users == "managed")
        return PartitionFold(self.folder, partition, rules, frozen)


@dataclass(frozen=True, slots=True)
class FoldTask:
    """A partition to fold up to a checkpoint. `frozen`: its orgs in quarantine, with their poison positions."""

    partition: int
    until: Checkpoint
    frozen: Mapping[str, int]


def fold_and_fill(work: Work, task: FoldTask) -> Folded:
    """Folds a partition, and copies its rows into the shadow tables unless an entry cannot be applied."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_fold_and_fill(work, task))


def read_back(work: Work, table: Table) -> list[Finding]:
    """Compares a table's shadow in PostgreSQL with the fold, row by row. Returns the differences, usually none."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_read_back(work, table))


async def _fold_and_fill(work: Work, task: FoldTask) -> Folded:
    with closing(work.open_fold(task.partition, task.frozen)) as fold:
        folded = await _fold(work, task, fold)
        if folded.unappliable is None:
            async with connect(work.settings, NAME, statement_seconds=0) as connection:
                await fill(connection, ShadowTables(work.schema, work.tables), fold)
        return folded


async def _fold(work: Work, task: FoldTask, fold: PartitionFold) -> Folded:
    partitions = work.settings.partitions
    async with AsyncExitStack() as stack:
        entries: LogEntries
        if work.source == "topic":
            entries = LoggedEntries(await stack.enter_async_context(open_topic(work.settings)), partitions)
        else:
            connection = join_snapshot(work.settings, work.snapshot_id)
            entries = KeptEntries(await stack.enter_async_context(connection), partitions)
        pages = entries.read(task.partition, NOTHING_PROJECTED, task.until)
        return await fold_pages(pages, fold, task.partition, lambda page: count_read(len(page)))


async def _read_back(work: Work, table: Table) -> list[Finding]:
    shadows = ShadowTables(work.schema, work.tables)
    async with connect(work.settings, NAME, statement_seconds=0) as connection:
        with ExitStack() as stack:
            partitions = range(work.settings.partitions)
            opened = [stack.enter_context(closing(work.open_fold(each))) for each in partitions]
            return await differing_rows(connection, shadows, opened, table)


async def differing_rows(
    connection: Connection, shadows: ShadowTables, opened: list[PartitionFold], table: Table
) -> list[Finding]:
    findings = Findings()
    with closing(merged_rows(opened, table)) as folded:
        await compare_table(table, folded, live_rows(connection, shadows.of(table)), findings)
    return findings.listed
