"""Waits briefly for users who are not in the tables yet.

Without this, a caller who registers a user and names the user at once would get USER_NOT_FOUND. It is still the shard
that decides whether a user exists.
"""

import asyncio
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Final

from cachetools import FIFOCache

from daybook_infra.runtime.errors import DatabaseAway
from daybook_infra.runtime.logs import get_logger
from daybook_infra.runtime.postgres.connections import Pool, translated

# As docs/log.md, rule 7, says. A projector usually needs a tenth of this time.
WAIT_SECONDS = 1.0
POLL_SECONDS = 0.05
# This many ids take about 20 MB. A user who is evicted costs one look-up.
MAX_REMEMBERED = 100_000
# Ids in one look-up. Further ids wait for the next look-up.
MAX_ASKED = 10_000
KNOWN: Final = "SELECT id::text FROM auth.users WHERE id = ANY($1::uuid[])"

log = get_logger(__name__)


@dataclass(slots=True)
class _Wait:
    """The wait for one user, shared by all requests that need it. `deadline`: when the last of them stops waiting."""

    done: "asyncio.Future[None]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    deadline: float = 0.0


class KnownUsers:
    """Makes one look-up at a time, for all requests that wait."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._known: FIFOCache[str, None] = FIFOCache(MAX_REMEMBERED)
        self._waiting: dict[str, _Wait] = {}
        self._polling: asyncio.Task[None] | None = None

    def unseen(self, user_ids: Iterable[str]) -> list[str]:
        """The ids that no look-up has found so far. These users may exist nevertheless."""
        return [user_id for user_id in user_ids if user_id not in self._known]

    async def wait_for(self, user_ids: Collection[str]) -> None:
        """Returns when all users are in the tables, after WAIT_SECONDS, or at once if the database is away."""
        unseen = self.unseen(user_ids)
        if not unseen:
            return
        deadline = asyncio.get_running_loop().time() + WAIT_SECONDS
        waits = [self._waiting.setdefault(user_id, _Wait()) for user_id in unseen]
        for wait in waits:
            wait.deadline = deadline
        if self._polling is None or self._polling.done():
            self._polling = asyncio.create_task(self._poll(), name="known-users")
        await asyncio.wait([wait.done for wait in waits], timeout=WAIT_SECONDS)

    async def _poll(self) -> None:
        """Looks up the awaited users again and again, while any request waits."""
        loop = asyncio.get_running_loop()
        while self._waiting:
            asked = list(self._waiting)[:MAX_ASKED]
            try:
                with translated():
                    rows = await self._pool.fetch(KNOWN, asked, timeout=WAIT_SECONDS)
            except DatabaseAway as error:
                log.warning("users_not_looked_up", reason=str(error))
                self._release(list(self._waiting))
                return
            self._remember([row["id"] for row in rows])
            now = loop.time()
            self._release([user_id for user_id, wait in self._waiting.items() if wait.deadline <= now])
            if self._waiting:
                await asyncio.sleep(POLL_SECONDS)

    def _remember(self, user_ids: list[str]) -> None:
        for user_id in user_ids:
            self._known[user_id] = None
        self._release(user_ids)

    def _release(self, user_ids: list[str]) -> None:
        for user_id in user_ids:
            wait = self._waiting.pop(user_id, None)
            if wait is not None and not wait.done.done():
                wait.done.set_result(None)
