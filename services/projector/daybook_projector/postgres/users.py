"""Who is in `auth.users`, and waiting for somebody who is not there yet (docs/log.md, rule 12).
Users and orgs live in different partitions, so an entry can be read before the one that made its user is projected.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection

from daybook_contracts.routing import partition_of
from daybook_infra.runtime.postgres.connections import Pool, translated

POLL_SECONDS = 0.05
# 40 MB; then the set is emptied and filled again.
MAX_KNOWN = 400_000

ABSENT = """
SELECT id::text FROM unnest($1::uuid[]) AS named (id)
 WHERE NOT EXISTS (SELECT FROM auth.users WHERE users.id = named.id)
"""
# One statement, so one snapshot: a checkpoint past the end and no row means that there will be none.
SEEN = """
SELECT EXISTS (SELECT FROM auth.users WHERE id = $1),
       COALESCE((SELECT next_offset FROM daybook.checkpoints WHERE partition = $2), 0)
"""

LogEnd = Callable[[int], Awaitable[int]]


class AuthUsers:
    """One for all partitions of a process. `log_end` gives the offset behind a partition's last record."""

    def __init__(self, pool: Pool, partitions: int, log_end: LogEnd, *, managed: bool) -> None:
        self._pool = pool
        self._partitions = partitions
        self._log_end = log_end
        self._managed = managed
        # Rows of `auth.users` stay: audit_log refers to them. A cached id is only one that was seen there.
        self._known: set[str] = set()

    async def absent(self, user_ids: Collection[str]) -> Collection[str]:
        """Those who have no row yet. Raises `DatabaseAway`."""
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
        """A restored PostgreSQL may know fewer than were seen; whoever takes a partition over asks again."""
        self._known.clear()

    async def appears(self, user_id: str, waiting_partition: int) -> bool:
        """Waits until the user is there, or certainly never will be; says which. Its time is bounded by the projection
        of what the user's own partition holds now. Raises `DatabaseAway`.
        """
        home = partition_of(user_id, self._partitions)
        end = await self._log_end(home) if self._managed and home != waiting_partition else 0
        while True:
            is_there, projected = await self._look(user_id, home)
            if is_there or projected >= end:
                return is_there
            await asyncio.sleep(POLL_SECONDS)

    async def _look(self, user_id: str, home: int) -> tuple[bool, int]:
        with translated():
            row = await self._pool.fetchrow(SEEN, user_id, home)
        return (False, 0) if row is None else (row[0], row[1])
