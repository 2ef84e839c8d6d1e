"""Bounds how long the shards of this instance use the event loop before other tasks run."""

import asyncio
import time
from bisect import insort
from collections import deque
from itertools import count
from typing import Final

from msgspec import Struct

# In one iteration of the loop, no shard begins after this time. A shard that has begun by then may take as long again.
TURN_SECONDS: Final = 0.010


class _Waiter(Struct, order=True):
    number: int
    turn: "asyncio.Future[None]"


class Turns:
    """Whatever lets a shard fold or decide waits here first. Waiters run in the order in which they came."""

    def __init__(self) -> None:
        self._until: float | None = None
        self._numbers = count()
        self._waiting: deque[_Waiter] = deque()
        self._woken = 0

    async def wait(self) -> None:
        """Returns at once, or in a later iteration of the event loop if the shards have used enough of this one."""
        if not (self._waiting or self._woken) and self._may_begin():
            return
        number = next(self._numbers)
        begins = False
        while not begins:
            turn = asyncio.get_running_loop().create_future()
            insort(self._waiting, _Waiter(number, turn))  # others may have come since it was woken
            try:
                await turn
            finally:
                self._woken -= turn.done() and not turn.cancelled()
                if self._waiting and self._until is None:
                    self._may_begin()  # wakes them: all that were woken before may have been cancelled
            begins = self._may_begin()

    def _may_begin(self) -> bool:
        now = time.perf_counter()
        if self._until is None:
            self._until = now + TURN_SECONDS
            asyncio.get_running_loop().call_soon(self._start_iteration)
        return now <= self._until

    def _start_iteration(self) -> None:
        self._until = None
        while self._waiting:
            turn = self._waiting.popleft().turn
            if not turn.done():
                turn.set_result(None)
                self._woken += 1
