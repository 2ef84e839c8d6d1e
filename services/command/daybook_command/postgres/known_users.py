"""Waits briefly for users who are not in the tables yet.

Without this, a caller who registers a user and names the user at once would get USER_NOT_FOUND. The shard still decides
whether a user exists. The wait ends early for a user if no registration of that user is on its way.
"""

import asyncio
from collections.abc import Collection, Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Final, Protocol

from cachetools import FIFOCache

from daybook_infra.runtime.errors import DatabaseAway
from daybook_infra.runtime.logs import get_logger
from daybook_infra.runtime.postgres.connections import Pool, translated

# As docs/log.md, rule 7, says. A projector usually needs a tenth of this time.
WAIT_SECONDS = 1.0
POLL_SECONDS = 0.05
# This many ids take about 20 MB. A user who is evicted costs one look-up.
MAX_REMEMBERED = 100_000
# Maximum number of ids in one look-up. If more wait, they take turns.
MAX_ASKED = 10_000
# Maximum number of users to rule out in one step, which takes a few milliseconds.
MAX_RULED_OUT = 1_000
KNOWN: Final = "SELECT id::text FROM auth.users WHERE id = ANY($1::uuid[])"

log = get_logger(__name__)


class ExpectedUsers(Protocol):
    async def ruled_out(self, user_ids: Collection[str]) -> AbstractSet[str]:
        """Those of `user_ids` that are in the tables by now, and those that will not appear there unless somebody sends
        a registration after this call. Leaves out a user if this is not certain.
        """


@dataclass(slots=True)
class _Wait:
    """The wait for one user, shared by all requests that need it. `deadline`: when the last of them stops waiting.
    `ruled_out`: whether the user was ruled out after the last of them had begun to wait.
    """

    done: "asyncio.Future[None]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    deadline: float = 0.0
    ruled_out: bool = False


class KnownUsers:
    """Makes one look-up at a time, for all requests that wait."""

    def __init__(self, pool: Pool, expected: ExpectedUsers | None = None) -> None:
        """Without `expected`, users may be registered elsewhere, and no wait ends early."""
        self._pool = pool
        self._expected = expected
        self._known: FIFOCache[str, None] = FIFOCache(MAX_REMEMBERED)
        self._waiting: dict[str, _Wait] = {}
        self._polling: asyncio.Task[None] | None = None

    def unseen(self, user_ids: Iterable[str]) -> list[str]:
        """The ids that no look-up has found so far. These users may exist nevertheless."""
        return [user_id for user_id in user_ids if user_id not in self._known]

    async def wait_for(self, user_ids: Collection[str]) -> None:
        """Returns when all users are in the tables or ruled out, after WAIT_SECONDS, or at once if the database is
        away.
        """
        unseen = self.unseen(user_ids)
        if not unseen:
            return
        deadline = asyncio.get_running_loop().time() + WAIT_SECONDS
        waits = [self._waiting.setdefault(user_id, _Wait()) for user_id in unseen]
        for wait in waits:
            wait.deadline, wait.ruled_out = deadline, False
        if self._polling is None or self._polling.done():
            self._polling = asyncio.create_task(self._poll(), name="known-users")
        await asyncio.wait([wait.done for wait in waits], timeout=WAIT_SECONDS)

    async def _poll(self) -> None:
        """Looks up the awaited users again and again, while any request waits."""
        loop = asyncio.get_running_loop()
        while self._waiting:
            asked = list(self._waiting)[:MAX_ASKED]
            ruled_out = [user_id for user_id in asked if self._waiting[user_id].ruled_out]
            try:
                with translated():
                    rows = await self._pool.fetch(KNOWN, asked, timeout=WAIT_SECONDS)
            except DatabaseAway as error:
                log.warning("users_not_looked_up", reason=str(error))
                self._release(list(self._waiting))
                return
            self._remember([row["id"] for row in rows])
            # Checked again: a request that began to wait during this look-up needs a later one.
            self._release([user_id for user_id in ruled_out if self._is_ruled_out(user_id)])
            now = loop.time()
            self._release([user_id for user_id, wait in self._waiting.items() if wait.deadline <= now])
            missing = [user_id for user_id in asked if user_id in self._waiting][:MAX_RULED_OUT]
            if self._waiting and not await self._rule_out(missing):
                await asyncio.sleep(POLL_SECONDS)

    async def _rule_out(self, missing: Sequence[str]) -> bool:
        """Marks the users who are ruled out: the next look-up is their last. Returns whether there are any. The others
        go to the end of the line, so that those behind them get a turn.
        """
        begun = {user_id: self._waiting[user_id].deadline for user_id in missing}
        found = frozenset[str]() if self._expected is None else await self._expected.ruled_out(begun)
        for user_id in missing:
            if user_id in found:
                wait = self._waiting[user_id]
                wait.ruled_out = wait.deadline == begun[user_id]
            else:
                self._waiting[user_id] = self._waiting.pop(user_id)
        return bool(found)

    def _is_ruled_out(self, user_id: str) -> bool:
        return user_id in self._waiting and self._waiting[user_id].ruled_out

    def _remember(self, user_ids: list[str]) -> None:
        for user_id in user_ids:
            self._known[user_id] = None
        self._release(user_ids)

    def _release(self, user_ids: list[str]) -> None:
        for user_id in user_ids:
            wait = self._waiting.pop(user_id, None)
            if wait is not None and not wait.done.done():
                wait.done.set_result(None)
