"""Long work of requests takes turns: work in steps in, its result out. No turn holds the event loop for long.

All requests share the turns, and each turn of the loop has one at most: however many requests have work, whatever else
the loop carries waits for a single slice of it.
"""

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Final, TypeVar

from daybook_contracts.commands import Steps

# The loop is given back after it, and after the step that was under way: one command of at most 256 KiB.
SLICE_SECONDS: Final = 0.005

T = TypeVar("T")
R = TypeVar("R")


class Turns:
    def __init__(self) -> None:
        # asyncio's lock is fair, so those who wait are served in a circle.
        self._turn = asyncio.Lock()

    async def next(self) -> None:
        """Returns when it is the caller's turn: it goes on until its next await."""
        await self._turn.acquire()
        # Given back in the next turn of the loop, not in this one, where others may be ready to go on.
        asyncio.get_running_loop().call_soon(self._turn.release)

    async def run(self, steps: Steps[T]) -> T:
        """Raises what the work raises."""
        while True:
            await self.next()
            until = time.perf_counter() + SLICE_SECONDS
            try:
                next(steps)
                while time.perf_counter() < until:
                    next(steps)
            except StopIteration as done:
                result: T = done.value
                return result

    async def each(self, work: Callable[[T], R], items: Iterable[T]) -> list[R]:
        """What becomes of each item, a step for each."""
        return await self.run(_each(work, items))


def _each(work: Callable[[T], R], items: Iterable[T]) -> Steps[list[R]]:
    results = []
    for item in items:
        results.append(work(item))
        yield
    return results
