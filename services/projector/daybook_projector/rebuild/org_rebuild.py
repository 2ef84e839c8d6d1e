"""Rebuilds the rows of one org from all of its entries, and releases the org if it was in quarantine: an org in; the
differences, and then the corrected rows, out. Meanwhile the services keep running. Only the org's partition waits, at
the end.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass
from typing import Final

from daybook_contracts.log.head import NOTHING_PROJECTED
from daybook_contracts.routing import partition_of
from daybook_infra.runtime.failpoints import failpoint
from daybook_infra.runtime.postgres.checkpoints import load_checkpoint
from daybook_infra.runtime.postgres.connections import connect
from daybook_infra.runtime.settings import Settings
from daybook_projector.audit.fold.scratch import scratch_folder
from daybook_projector.audit.log.topic import open_topic
from daybook_projector.audit.verify.snapshot import NO_LIMITS
from daybook_projector.projections.auth_users import AUTH_USERS
from daybook_projector.projections.fold import TABLES, folds
from daybook_projector.rebuild.corrections import KEY_TABLES, Corrections, renew
from daybook_projector.rebuild.differences import Comparison, Difference, compare, total_difference
from daybook_projector.rebuild.filling import fill
from daybook_projector.rebuild.folding import fold_pages
from daybook_projector.rebuild.jobs import NAME, Source, differing_rows
from daybook_projector.rebuild.log_entries import LogEntries, LoggedEntries, OrgEntries
from daybook_projector.rebuild.org_places import find_org
from daybook_projector.rebuild.org_requirements import OrgRequirements
from daybook_projector.rebuild.sessions import ShowProgress, begin_session, refused_locks
from daybook_projector.rebuild.shadow_fold import ShadowFold, add_keys, refuse_any, require_same
from daybook_projector.rebuild.shadow_tables import TEMPORARY, ShadowTables

TABLES_OF_ORGS: Final = tuple(table for table in TABLES if table is not AUTH_USERS)
OTHER_TABLES: Final = tuple(table for table in TABLES_OF_ORGS if table not in KEY_TABLES)
FEW_ENTRIES: Final = 500
"""The org's partition is made to wait only when at most this many entries are left to fold."""

IN_QUARANTINE: Final = "SELECT FROM daybook.quarantine WHERE org_id = $1 AND released_at IS NULL"
LOCK_CHECKPOINT: Final = "SELECT FROM daybook.checkpoints WHERE partition = $1 FOR UPDATE"
RELEASE: Final = """
UPDATE daybook.quarantine SET released_at = clock_timestamp(), generation = generation + 1 WHERE org_id = $1
"""


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """`released` is False if the org was not in quarantine."""

    entries: int
    differences: tuple[Difference, ...]
    released: bool


class OrgRebuild:
    """Methods raise `RebuildRefused` and `DatabaseAway`; if they read the topic, also `LogBroken` and `KafkaAway`."""

    def __init__(self, state: ShadowFold, org_id: str, partitions: int, progress: ShowProgress) -> None:
        self._connection = state.connection
        self._state = state
        self._org_id = org_id
        self._partitions = partitions
        self._progress = progress
        self._corrections = Corrections(state.connection, state.shadows, org_id)

    async def compare(self) -> Comparison:
        await self._build()
        async with self._state.caught_up(FEW_ENTRIES):
            return await compare(self._connection, self._state.shadows, self._org_id)

    @property
    def entries(self) -> int:
        """The number of entries that were read."""
        return self._state.entries_read

    async def is_quarantined(self, *, lock: bool = False) -> bool:
        """With `lock`, if the org is in quarantine, another rebuild of the org waits until this one ends."""
        query = f"{IN_QUARANTINE} FOR UPDATE" if lock else IN_QUARANTINE
        return await self._connection.fetchrow(query, self._org_id) is not None

    async def apply(self, *, release_only: bool = False) -> Rebuilt:
        """Corrects the rows and releases the org, all in one transaction. With `release_only`, changes nothing if the
        org is no longer in quarantine.

        While an org is in quarantine, the projector changes few of its rows. So most rows are corrected before the
        checkpoint is locked. The partition waits only while new entries of the org are folded. They are few, because
        commands to an org in quarantine are refused.
        """
        async with self._state.caught_up(FEW_ENTRIES):
            pass
        with refused_locks(f"org {self._org_id}"):
            async with self._connection.transaction():
                await self._connection.execute(NO_LIMITS)
                quarantined = await self.is_quarantined(lock=True)
                if release_only and not quarantined:
                    return Rebuilt(self.entries, (), released=False)
                found = await self._correct(quarantined=quarantined)
                if quarantined:
                    await self._connection.execute(RELEASE, self._org_id)
                failpoint("rebuild-corrected")
        return Rebuilt(self.entries, tuple(filter(None, found)), quarantined)

    async def _correct(self, *, quarantined: bool) -> list[Difference]:
        # If a row of KEY_TABLES is missing, rows of other tables may refer to it, and cannot be corrected before it.
        is_early = quarantined and not await self._corrections.is_missing(KEY_TABLES)
        found = await self._corrections.apply(OTHER_TABLES) if is_early else []
        await self._connection.execute(LOCK_CHECKPOINT, *self._state.folded)
        is_more = await self._state.catch_up() > 0
        failpoint("rebuild-locked")
        if not quarantined and await self._corrections.corrected_orgs():
            home = dict.fromkeys([self._org_id], *self._state.folded)
            await renew(self._connection, home, self._state.folded)
        found += await self._corrections.apply(KEY_TABLES if is_early and not is_more else TABLES_OF_ORGS)
        return [total_difference(table.name, found) for table in TABLES_OF_ORGS]

    async def _build(self) -> None:
        state = self._state
        async with self._connection.transaction(isolation="repeatable_read"):
            await self._connection.execute(NO_LIMITS)
            partition, entries = await self._place()
            until = await load_checkpoint(self._connection, partition)
            requirements = OrgRequirements(partition)
            pages = state.entries.read(partition, NOTHING_PROJECTED, until)
            with self._progress(entries) as advance, closing(state.open_fold(partition)) as fold:
                folded = await fold_pages(pages, fold, partition, requirements.note, lambda page: advance(len(page)))
                refuse_any([folded.unappliable, *await requirements.unmet(self._connection)])
                await fill(self._connection, state.shadows, fold)
                await add_keys(self._connection, state.shadows)
                for table in TABLES_OF_ORGS:
                    require_same(await differing_rows(self._connection, state.shadows, [fold], table))
            state.folded[partition] = until
            state.entries_read += folded.entries

    async def _place(self) -> tuple[int, int]:
        """The org's partition, and the number of the org's entries; 0 if the number is not known before reading."""
        if isinstance(self._state.entries, OrgEntries):
            return await find_org(self._connection, self._org_id)
        return partition_of(self._org_id, self._partitions), 0


@asynccontextmanager
async def open_org_rebuild(
    settings: Settings, source: Source, org_id: str, progress: ShowProgress, *, name: str = NAME
) -> AsyncIterator[OrgRebuild]:
    """`name`: the session's application name in PostgreSQL. The shadow tables are temporary tables."""
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(scratch_folder("daybook-rebuild-"))
        connection = await stack.enter_async_context(connect(settings, name, statement_seconds=0))
        entries: LogEntries = OrgEntries(connection, org_id, settings.partitions)
        if source == "topic":
            topic = await stack.enter_async_context(open_topic(settings))
            entries = LoggedEntries(topic, settings.partitions, org_id)
        rules = folds(managed_users=settings.users == "managed")
        await begin_session(connection)
        shadows = ShadowTables(TEMPORARY, TABLES_OF_ORGS)
        await shadows.create(connection)
        state = ShadowFold(connection, shadows, entries, folder, rules, org_id)
        yield OrgRebuild(state, org_id, settings.partitions, progress)
