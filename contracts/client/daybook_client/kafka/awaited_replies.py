"""Waits for the replies to several commands with a single future, because making one for each reply would take longer
than reading the reply.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Protocol


class ReplyRegistry(Protocol):
    """Hands replies to those who expect them, as `Replies` does."""

    def listen(self, correlation_id: str, take: Callable[[bytes], None]) -> None: ...

    def forget(self, correlation_id: str) -> None: ...


class AwaitedReplies:
    """`values`: the replies, in the order of `correlation_ids`; None where there is none yet."""

    def __init__(self, registry: ReplyRegistry, correlation_ids: Sequence[str]) -> None:
        self.values: list[bytes | None] = [None] * len(correlation_ids)
        self.correlation_ids = correlation_ids
        self._registry = registry
        self._missing: set[int] = set()
        self._complete: asyncio.Future[None] | None = None
        for place, correlation_id in enumerate(correlation_ids):
            registry.listen(correlation_id, partial(self._take, place))

    async def wait(self, places: Iterable[int], seconds: float) -> bool:
        """Waits for the replies at these places, for up to `seconds`. Returns whether they are all there. One call at a
        time.
        """
        self._missing = {place for place in places if self.values[place] is None}
        if not self._missing:
            return True
        loop = asyncio.get_running_loop()
        self._complete = loop.create_future()
        timer = loop.call_later(max(0.0, seconds), self._end_wait)
        try:
            await self._complete
        finally:
            timer.cancel()
        return not self._missing

    def end(self) -> None:
        """Call it when you no longer wait for replies."""
        for correlation_id in self.correlation_ids:
            self._registry.forget(correlation_id)

    def _take(self, place: int, value: bytes) -> None:
        if self.values[place] is None:  # only the first reply counts
            self.values[place] = value
            self._missing.discard(place)
            if not self._missing:
                self._end_wait()

    def _end_wait(self) -> None:
        if self._complete is not None and not self._complete.done():
            self._complete.set_result(None)
