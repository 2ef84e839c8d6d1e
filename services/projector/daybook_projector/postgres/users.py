"""Looks up users in `auth.users`, and waits for those who are not there yet (docs/log.md, rule 12). Users and orgs are
in different partitions, so an entry can be read before the entry that registers its user is projected.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection

from daybook_contracts.routing import partition_of
from daybook_infra.runtime.postgres.connections import Pool, translated

POLL_SECONDS = 0.05
# 40 MB; beyond that the set is cleared.
MAX_KNOWN = 400_000

ABSENT = """
SELECT id::text FROM unnest($1::uuid[]) AS named (id)
 WHERE NOT EXISTS (SELECT FROM auth.users WHERE users.id = named.id)
"""
# One statement, hence one snapshot: a checkpoint past the end and no row means that the user will never appear.
SEEN = """
SELECT EXISTS (SELECT FROM auth.users WHERE id = $1),
       COALESCE((SELECT next_offset FROM daybook.checkpoints WHERE partition = $2), 0)
"""

LogEnd = Callable[[int], Awaitable[int]]


class AuthUsers:
    """Shared by all partitions of a process. `log_end` gives the offset after a partition's last record."""

    def __init__(self, pool: Pool, partitions: int, log_end: LogEnd, *, managed: bool) -> None:
        self._pool = pool
        self._partitions = partitions
        self._log_end = log_end
        self._managed = managed
        # Users stay, as audit_log refers to them, so an id that was seen once may be cached.
        self._known: set[str] = set()

    async def find_absent(self, user_ids: Collection[str]) -> Collection[str]:
        """The users without a row. Raises `DatabaseAway`."""
        unsure = set(user_ids) - self._known
        if not unsure:
            return ()
        with translated():
            absent = {row[0] for row in await self._pool.fetch(ABSENT, list(unsure))}
        if len(self._known) > MAX_KNOWN:
            self._known.clear()
        self._known |= unsure - absent
        return absent

    def forget(self) -> None:
        """Clear the cache at a takeover: a restored PostgreSQL may have fewer users."""
        self._known.clear()

    async def wait_until_known(self, user_id: str, waiting_partition: int) -> bool:
        """Wait until the user exists (True) or certainly never will (False). Takes at most until the present end of the
        user's own partition is projected. Raises `DatabaseAway`.
        """
        home = partition_of(user_id, self._partitions)
        end = await self._log_end(home) if self._managed and home != waiting_partition else 0
        while True:
            is_there, projected = await self._look_up(user_id, home)
            if is_there or projected >= end:
                return is_there
            await asyncio.sleep(POLL_SECONDS)

    async def _look_up(self, user_id: str, home: int) -> tuple[bool, int]:
        with translated():
            row = await self._pool.fetchrow(SEEN, user_id, home)
        return (False, 0) if row is None else (row[0], row[1])
