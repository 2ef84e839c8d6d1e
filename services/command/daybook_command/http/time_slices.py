"""Runs the long work of requests in time slices, so that it does not block the event loop. The work consists of steps.

Each iteration of the event loop runs only one slice, however many requests have work. Principals take turns
round-robin, and the requests of one principal run in order. So a principal with many requests delays another principal
by only one slice per turn.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeVar

from daybook_command.http.round_robin import RoundRobin
from daybook_contracts.commands.batch import Steps
from daybook_contracts.senders.principals import Principal

# The last step of a slice may exceed this time; it handles one command of at most 256 KiB.
SLICE_SECONDS: Final = 0.005

T = TypeVar("T")
R = TypeVar("R")


class TimeSlices:
    def __init__(self) -> None:
        self._busy = False
        self._waiting = RoundRobin()  # by principal

    async def wait(self, principal: Principal) -> None:
        """Return when the principal's slice begins; it lasts until the caller's next await."""
        loop = asyncio.get_running_loop()
        if self._busy:
            turn = self._waiting.add(principal)
            try:
                await turn
            except asyncio.CancelledError:
                if not turn.cancelled():  # the slice had been granted already
                    self._grant_next()
                raise
        self._busy = True
        # Grants the next slice in the next iteration of the loop, because other tasks may be ready in this one.
        loop.call_soon(self._grant_next)

    def _grant_next(self) -> None:
        self._busy = self._waiting.wake_next()

    async def run(self, principal: Principal, steps: Steps[T]) -> T:
        """Run all steps and return their result. Raises what a step raises."""
        while True:
            await self.wait(principal)
            until = time.perf_counter() + SLICE_SECONDS
            try:
                next(steps)
                while time.perf_counter() < until:
                    next(steps)
            except StopIteration as done:
                result: T = done.value
                return result

    async def map(self, principal: Principal, work: Callable[[T], R], items: Iterable[T]) -> list[R]:
        """Apply `work` to each item; each item is one step."""
        return await self.run(principal, _steps(work, items))

    async def map_to_the_end(self, principal: Principal, work: Callable[[T], R], items: Sequence[T]) -> list[R]:
        """Like `map`, but if the request is cancelled meanwhile, applies `work` to all items at once. `work` may run
        twice for an item.
        """
        try:
            return await self.map(principal, work, items)
        except asyncio.CancelledError:
            return [work(item) for item in items]


def _steps(work: Callable[[T], R], items: Iterable[T]) -> Steps[list[R]]:
    results = []
    for item in items:
        results.append(work(item))
        yield
    return results
