"""Long work of requests takes turns: work in steps in, its result out. No turn holds the event loop for long.

All requests share the turns, and each turn of the loop has one at most: however many requests have work, whatever else
the loop carries waits for a single slice of it. The principals that wait are served in a circle, and the requests of
each in order: many requests of one delay another's by one slice a turn.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Final, TypeVar

from daybook_contracts.commands.batch import Steps
from daybook_contracts.senders.principals import Principal

# The loop is given back after it, and after the step that was under way: one command of at most 256 KiB.
SLICE_SECONDS: Final = 0.005

T = TypeVar("T")
R = TypeVar("R")


class Turns:
    def __init__(self) -> None:
        self._taken = False
        # Whoever is first has the next turn. None of the queues is empty.
        self._waiting: dict[Principal, deque[asyncio.Future[None]]] = {}

    async def next(self, principal: Principal) -> None:
        """Returns when it is the principal's turn: its caller goes on until its next await."""
        loop = asyncio.get_running_loop()
        if self._taken:
            turn = loop.create_future()
            self._waiting.setdefault(principal, deque()).append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                if not turn.cancelled():  # it was given the turn already
                    self._pass_on()
                raise
        self._taken = True
        # Given on in the next turn of the loop, not in this one, where others may be ready to go on.
        loop.call_soon(self._pass_on)

    def _pass_on(self) -> None:
        while self._waiting:
            principal = next(iter(self._waiting))
            queue = self._waiting.pop(principal)
            turn = queue.popleft()
            if queue:
                self._waiting[principal] = queue
            if not turn.done():  # else its request is gone
                turn.set_result(None)
                return
        self._taken = False

    async def run(self, principal: Principal, steps: Steps[T]) -> T:
        """Raises what the work raises."""
        while True:
            await self.next(principal)
            until = time.perf_counter() + SLICE_SECONDS
            try:
                next(steps)
                while time.perf_counter() < until:
                    next(steps)
            except StopIteration as done:
                result: T = done.value
                return result

    async def each(self, principal: Principal, work: Callable[[T], R], items: Iterable[T]) -> list[R]:
        """What becomes of each item, a step for each."""
        return await self.run(principal, _each(work, items))


def _each(work: Callable[[T], R], items: Iterable[T]) -> Steps[list[R]]:
    results = []
    for item in items:
        results.append(work(item))
        yield
    return results
