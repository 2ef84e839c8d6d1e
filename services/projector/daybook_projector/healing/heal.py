"""Heals one org: folds its entries into shadow tables while everything keeps running; then one transaction corrects the
live rows and releases the org, or nothing is changed.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

import asyncpg

from daybook_infra.runtime.postgres.connections import Connection
from daybook_projector.healing.differences import (
    ALL_TABLES,
    KEY_TABLES,
    OTHER_TABLES,
    Difference,
    correct_rows,
    total_difference,
)
from daybook_projector.healing.org_log import OrgLog, Unhealable
from daybook_projector.healing.shadow_tables import ShadowTables
from daybook_projector.projections.fold import Folds

# Longer than a projector's transaction takes. Giving up loses nothing.
LOCK_SECONDS = 20
# If this process is killed while it waits for a lock, the server must notice and release the locks it holds.
SESSION = f"SET lock_timeout = '{LOCK_SECONDS}s'; SET client_connection_check_interval = '1s'"

IN_QUARANTINE = "SELECT FROM daybook.quarantine WHERE org_id = $1 AND released_at IS NULL"
LOCK_CHECKPOINT = "SELECT FROM daybook.checkpoints WHERE partition = $1 FOR UPDATE"
RELEASE = """
UPDATE daybook.quarantine SET released_at = clock_timestamp(), generation = generation + 1 WHERE org_id = $1
"""

Progress = Callable[[int], AbstractContextManager[Callable[[int], None]]]
"""Called with the number of entries to read; yields a function to call with each number read."""


@dataclass(frozen=True, slots=True)
class Healed:
    """`released` is False if nothing was changed: the org was not in quarantine, or `keep` was False."""

    entries: int
    differences: tuple[Difference, ...]
    released: bool


class Healing:
    """`connection` is used for this org only and closed afterwards. Raises `Unhealable` and `DatabaseAway`."""

    def __init__(self, connection: Connection, folds: Folds, org_id: str, partitions: int, progress: Progress) -> None:
        self._connection = connection
        self._org_id = org_id
        self._progress = progress
        self._log = OrgLog(connection, org_id, partitions)
        self._shadows = ShadowTables(connection, folds)
        self._entries = 0

    async def run(self, *, keep: bool) -> Healed:
        """Only compares if `keep` is False or the org is not in quarantine."""
        try:
            return await self._run(keep=keep)
        except asyncpg.LockNotAvailableError as error:
            raise Unhealable(
                f"another transaction keeps rows of org {self._org_id}, or its checkpoint, locked for more than "
                f"{LOCK_SECONDS} s: repeat it"
            ) from error

    async def _run(self, *, keep: bool) -> Healed:
        await self._connection.execute(SESSION)
        await self._log.create()
        await self._shadows.create()
        await self._fold_new_entries()
        await self._log.analyze()
        await self._shadows.analyze()
        transaction = self._connection.transaction(isolation="read_committed")
        await transaction.start()
        quarantined = await is_quarantined(self._connection, self._org_id, lock=True)
        found = await self._correct(quarantined=quarantined)
        if quarantined and keep:
            await self._connection.execute(RELEASE, self._org_id)
            await transaction.commit()
        else:
            await transaction.rollback()
        return Healed(self._entries, tuple(filter(None, found)), quarantined and keep)

    async def _correct(self, *, quarantined: bool) -> list[Difference]:
        """Most rows of a quarantined org do not change, so they are corrected before the checkpoint is locked. The
        partition then waits only for the entries since, which are few, as the org's commands are refused.
        """
        found = await correct_rows(self._connection, self._org_id, OTHER_TABLES) if quarantined else []
        await self._connection.execute(LOCK_CHECKPOINT, await self._log.partition())
        is_more = await self._fold_new_entries() > 0
        found += await correct_rows(
            self._connection, self._org_id, ALL_TABLES if is_more or not quarantined else KEY_TABLES
        )
        return [total_difference(table.name, found) for table in ALL_TABLES]

    async def _fold_new_entries(self) -> int:
        """Fold the new entries, and return their number."""
        found = await self._log.find()
        partition = await self._log.partition()
        with self._progress(found) as advance:
            while entries := await self._log.next_page():
                await self._shadows.fold(partition, entries)
                advance(len(entries))
        self._entries += found
        return found


async def is_quarantined(connection: Connection, org_id: str, *, lock: bool = False) -> bool:
    """With `lock`, a second healing of the org waits for the end of the first."""
    return await connection.fetchrow(f"{IN_QUARANTINE} FOR UPDATE" if lock else IN_QUARANTINE, org_id) is not None
