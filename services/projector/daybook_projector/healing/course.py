"""The course of a healing: an org in, what differed out. Its entries are folded beside the live rows while everybody
goes on; then one transaction puts the rows right and releases the org, or nothing is changed.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

import asyncpg

from daybook_infra.runtime.postgres.connections import Connection
from daybook_projector.healing.differences import ALL_TABLES, KEY_TABLES, OTHER_TABLES, Difference, put_right, sum_of
from daybook_projector.healing.org_log import OrgLog
from daybook_projector.healing.shadow_tables import Beside
from daybook_projector.healing.unhealable import Unhealable
from daybook_projector.projections.fold import Folds

# A projector's transaction takes less. Nothing is lost by giving up.
LOCK_SECONDS = 20
# Whoever is killed while it waits for a lock must not keep its own ones. The server notices by asking.
SESSION = f"SET lock_timeout = '{LOCK_SECONDS}s'; SET client_connection_check_interval = '1s'"

IN_QUARANTINE = "SELECT FROM daybook.quarantine WHERE org_id = $1 AND released_at IS NULL"
LOCK_CHECKPOINT = "SELECT FROM daybook.checkpoints WHERE partition = $1 FOR UPDATE"
RELEASE = """
UPDATE daybook.quarantine SET released_at = clock_timestamp(), generation = generation + 1 WHERE org_id = $1
"""

Progress = Callable[[int], AbstractContextManager[Callable[[int], None]]]
"""Takes how many entries there are to read; gives what to call with each number that was read."""


@dataclass(frozen=True, slots=True)
class Healed:
    """Without `released`, nothing was changed: the org was not in quarantine, or it was not wanted."""

    entries: int
    differences: tuple[Difference, ...]
    released: bool


class Healing:
    """`connection` is for this one org, and closed afterwards. Raises `Unhealable`, `DatabaseAway`."""

    def __init__(self, connection: Connection, folds: Folds, org_id: str, partitions: int, progress: Progress) -> None:
        self._connection = connection
        self._org_id = org_id
        self._progress = progress
        self._log = OrgLog(connection, org_id, partitions)
        self._beside = Beside(connection, folds)
        self._entries = 0

    async def run(self, *, keep: bool) -> Healed:
        """Without `keep` it compares only; so it does with an org that is not in quarantine."""
        try:
            return await self._run(keep=keep)
        except asyncpg.LockNotAvailableError as error:
            raise Unhealable(
                f"another transaction keeps rows of org {self._org_id}, or its checkpoint, locked for more than "
                f"{LOCK_SECONDS} s: repeat it"
            ) from error

    async def _run(self, *, keep: bool) -> Healed:
        await self._connection.execute(SESSION)
        await self._log.begin()
        await self._beside.begin()
        await self._read_on()
        await self._log.settle()
        await self._beside.settle()
        transaction = self._connection.transaction(isolation="read_committed")
        await transaction.start()
        quarantined = await is_quarantined(self._connection, self._org_id, lock=True)
        found = await self._put_right(quarantined=quarantined)
        if quarantined and keep:
            await self._connection.execute(RELEASE, self._org_id)
            await transaction.commit()
        else:
            await transaction.rollback()
        return Healed(self._entries, tuple(filter(None, found)), quarantined and keep)

    async def _put_right(self, *, quarantined: bool) -> list[Difference]:
        """In quarantine most rows stand still, and are put right before the partition has to wait: for no more than
        the entries that came meanwhile, which are few, as its commands are refused.
        """
        found = await put_right(self._connection, self._org_id, OTHER_TABLES) if quarantined else []
        await self._connection.execute(LOCK_CHECKPOINT, await self._log.partition())
        is_more = await self._read_on() > 0
        found += await put_right(
            self._connection, self._org_id, ALL_TABLES if is_more or not quarantined else KEY_TABLES
        )
        return [sum_of(table.name, found) for table in ALL_TABLES]

    async def _read_on(self) -> int:
        """How many more entries there are; they are folded."""
        found = await self._log.find()
        partition = await self._log.partition()
        with self._progress(found) as advance:
            while entries := await self._log.next_page():
                await self._beside.fold(partition, entries)
                advance(len(entries))
        self._entries += found
        return found


async def is_quarantined(connection: Connection, org_id: str, *, lock: bool = False) -> bool:
    """`lock` makes a second healing of the org wait for the first one's end."""
    return await connection.fetchrow(f"{IN_QUARANTINE} FOR UPDATE" if lock else IN_QUARANTINE, org_id) is not None
