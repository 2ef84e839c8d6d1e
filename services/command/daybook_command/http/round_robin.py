"""Waiters that are woken one after another. Their keys take turns, and the waiters of one key are woken in order."""

import asyncio
from collections import deque
from collections.abc import Hashable


class RoundRobin:
    def __init__(self) -> None:
        # The keys are in the order of their turns, and no queue is empty.
        self._waiting: dict[Hashable, deque[asyncio.Future[None]]] = {}

    def add(self, key: Hashable) -> "asyncio.Future[None]":
        """A waiter, to be awaited. It may be cancelled."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(key, deque()).append(waiter)
        return waiter

    def wake_next(self) -> bool:
        """Wakes the next waiter. Returns whether there was one."""
        while self._waiting:
            key = next(iter(self._waiting))
            queue = self._waiting.pop(key)
            waiter = queue.popleft()
            if queue:
                self._waiting[key] = queue
            if not waiter.done():  # otherwise its request was cancelled
                waiter.set_result(None)
                return True
        return False
