"""Rebuilds all tables: settings and the log's source in; the differences, and then the corrected tables, out."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import Final

import asyncpg

from daybook_contracts.log.head import NOTHING_PROJECTED
from daybook_contracts.routing import partition_of
from daybook_infra.runtime.failpoints import failpoint
from daybook_infra.runtime.postgres.connections import OwnConnection, connect
from daybook_infra.runtime.settings import Settings
from daybook_projector.audit.fold.scratch import scratch_folder
from daybook_projector.audit.log.topic import open_topic
from daybook_projector.audit.verify.snapshot import NO_LIMITS, open_snapshot
from daybook_projector.audit.verify.workers import open_workers
from daybook_projector.projections.fold import folds
from daybook_projector.rebuild import jobs
from daybook_projector.rebuild.corrections import Corrections, renew
from daybook_projector.rebuild.differences import Comparison, Difference, compare
from daybook_projector.rebuild.jobs import NAME, FoldTask, Source, Work
from daybook_projector.rebuild.log_entries import KeptEntries, LogEntries, LoggedEntries
from daybook_projector.rebuild.refusal import RebuildRefused
from daybook_projector.rebuild.sessions import ShowProgress, begin_session, refused_locks
from daybook_projector.rebuild.shadow_fold import ShadowFold, add_keys, poison_positions, refuse_any, require_same
from daybook_projector.rebuild.shadow_tables import ShadowTables, drop_left_over, new_schema

FEW_ENTRIES: Final = 2_000
"""The projector is made to wait only when at most this many entries are left to fold."""

# Any number that no other program uses. The lock belongs to the session, so it ends with the process.
ALONE: Final = "SELECT pg_try_advisory_lock(7236228440312)"
LOCK_QUARANTINED: Final = "SELECT FROM daybook.quarantine WHERE released_at IS NULL ORDER BY org_id FOR UPDATE"
LOCK_CHECKPOINTS: Final = "SELECT FROM daybook.checkpoints ORDER BY partition FOR UPDATE"


class WholeRebuild:
    """`connection` holds the advisory lock. Methods raise `RebuildRefused`, `LogBroken`, `KafkaAway` and
    `DatabaseAway`.
    """

    def __init__(self, connection: OwnConnection, work: Work, state: ShadowFold, progress: ShowProgress) -> None:
        self._connection = connection
        self.work = work
        self.state = state
        self._progress = progress

    async def compare(self) -> Comparison:
        """Builds the shadow tables, and compares them with the live tables at the same checkpoints."""
        await self._build()
        async with self.state.caught_up(FEW_ENTRIES):
            found = await compare(self._connection, self.state.shadows, None)
        failpoint("rebuild-compared")
        return found

    async def apply(self) -> list[Difference]:
        """Corrects the rows that differ, in one transaction for which all partitions wait."""
        async with self.state.caught_up(FEW_ENTRIES):
            pass
        with refused_locks("the tables"):
            async with self._connection.transaction():
                await self._connection.execute(NO_LIMITS)
                await self._connection.execute(LOCK_QUARANTINED)
                await self._connection.execute(LOCK_CHECKPOINTS)
                await self.state.catch_up()
                failpoint("rebuild-locked")
                corrections = Corrections(self._connection, self.state.shadows, None)
                corrected = await corrections.corrected_orgs()
                homes = {org_id: partition_of(org_id, len(self.state.folded)) for org_id in corrected}
                await renew(self._connection, homes, self.state.folded)
                found = await corrections.apply(self.state.shadows.tables)
                failpoint("rebuild-corrected")
        return found

    async def _build(self) -> None:
        state = self.state
        async with open_snapshot(self.work.settings) as snapshot:
            cuts = {each: snapshot.checkpoints.get(each, NOTHING_PROJECTED) for each in state.folded}
            state.frozen = {each: poison_positions(snapshot.quarantined_in(each)) for each in cuts}
            work = replace(self.work, snapshot_id=snapshot.id)
            ordered = sorted(cuts, key=lambda each: cuts[each].head.position, reverse=True)
            tasks = [FoldTask(each, cuts[each], state.frozen[each]) for each in ordered]
            total = sum(cut.head.position + 1 for cut in cuts.values())
            with self._progress(total) as advance:
                async with open_workers(total, advance) as workers:
                    folded = await workers.all(partial(jobs.fold_and_fill, work, task) for task in tasks)
                    refuse_any([each.unappliable for each in folded])
                    state.folded.update(cuts)
                    failpoint("rebuild-filled")
                    await add_keys(self._connection, state.shadows)
                    found = await workers.all(partial(jobs.read_back, work, table) for table in work.tables)
        require_same(chain.from_iterable(found))


async def _drop(connection: OwnConnection, shadows: ShadowTables) -> None:
    """If another session keeps the tables locked, leaves them; the next run drops them."""
    with suppress(asyncpg.LockNotAvailableError):
        await shadows.drop(connection)


@asynccontextmanager
async def open_whole_rebuild(settings: Settings, source: Source, progress: ShowProgress) -> AsyncIterator[WholeRebuild]:
    """Raises `RebuildRefused` if another rebuild of all tables is running. Drops the shadow tables at the end."""
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(scratch_folder("daybook-rebuild-"))
        connection = await stack.enter_async_context(connect(settings, NAME, statement_seconds=0))
        await begin_session(connection)
        if not await connection.fetchval(ALONE):
            raise RebuildRefused("another rebuild is running")
        entries: LogEntries = KeptEntries(connection, settings.partitions)
        if source == "topic":
            entries = LoggedEntries(await stack.enter_async_context(open_topic(settings)), settings.partitions)
        work = Work(settings, source, "", folder, new_schema())
        shadows = ShadowTables(work.schema, work.tables)
        rules = folds(managed_users=settings.users == "managed")
        beginning = dict.fromkeys(range(settings.partitions), NOTHING_PROJECTED)
        with refused_locks("the tables"):
            await drop_left_over(connection)
            await shadows.create(connection)
        stack.push_async_callback(_drop, connection, shadows)
        yield WholeRebuild(
            connection, work, ShadowFold(connection, shadows, entries, folder, rules, folded=beginning), progress
        )
