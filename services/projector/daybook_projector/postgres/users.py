"""Looks up users in `auth.users`, and waits for users without a row (docs/log.md, rule 12). Users and orgs are in
different partitions, so an entry can be read before the entry that registers its user is projected.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection

from daybook_contracts.routing import partition_of
from daybook_infra.runtime.postgres.connections import Connection, Pool, translated

POLL_SECONDS = 0.05
# The set of known users is cleared above this size, about 40 MB.
MAX_KNOWN_USERS = 400_000

# Returns the ids as they were given: forged entries may have ids in upper case.
ABSENT = """
SELECT id FROM unnest($1::text[]) AS named (id)
 WHERE NOT EXISTS (SELECT FROM auth.users WHERE users.id = named.id::uuid)
"""
# One statement, so that both are read in one snapshot: if the checkpoint has reached the end of the user's partition,
# and the user has no row, the user will never appear.
USER_AND_CHECKPOINT = """
SELECT EXISTS (SELECT FROM auth.users WHERE id = $1),
       COALESCE((SELECT next_offset FROM daybook.checkpoints WHERE partition = $2), 0)
"""

LogEnd = Callable[[int], Awaitable[int]]


class UsersLost(Exception):
    """Users whose rows had been found have none any more, because PostgreSQL was restored or failed over."""


async def absent_users(connection: Connection | Pool, user_ids: Collection[str]) -> set[str]:
    """The users without a row. Wrap the call in `translated`."""
    return {row[0] for row in await connection.fetch(ABSENT, list(user_ids))}


class AuthUsers:
    """Shared by all partitions of a process. `log_end` gives the offset after a partition's last record."""

    def __init__(self, pool: Pool, partitions: int, log_end: LogEnd, *, managed: bool) -> None:
        self._pool = pool
        self._partitions = partitions
        self._log_end = log_end
        self._managed = managed
        # Users cannot be deleted, because audit_log refers to them. So an id that was found once may be cached.
        self._known: set[str] = set()

    async def find_absent(self, user_ids: Collection[str]) -> Collection[str]:
        """The users without a row. Raises `DatabaseAway`."""
        unsure = set(user_ids) - self._known
        if not unsure:
            return ()
        with translated():
            absent = await absent_users(self._pool, unsure)
        if len(self._known) > MAX_KNOWN_USERS:
            self._known.clear()
        self._known |= unsure - absent
        return absent

    def forget(self) -> None:
        """Clears the cache. Called at a takeover and for lost users, because a restored PostgreSQL may have fewer."""
        self._known.clear()

    async def wait_until_known(self, user_id: str, waiting_partition: int) -> bool:
        """Returns True when the user exists, or False when it is certain that the user never will. This is certain at
        the latest when the user's own partition is projected up to its present end. Raises `DatabaseAway`.
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
            row = await self._pool.fetchrow(USER_AND_CHECKPOINT, user_id, home)
        return (False, 0) if row is None else (row[0], row[1])
