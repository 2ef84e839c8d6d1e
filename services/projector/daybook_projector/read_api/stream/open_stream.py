"""One open stream: a bounded queue of events between the reader of all streams and one client."""

import asyncio
from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from daybook_projector.read_api.reader import Reader

# A client that is this far behind is cut off: it resumes after the last entry that it has read.
MAX_QUEUED_BYTES: Final = 1024 * 1024
MAX_QUEUED_EVENTS: Final = 1_000


class End(StrEnum):
    """Why a stream ended, as the metric's label and as the last comment of the stream."""

    SLOW = "slow"
    RIGHT_GONE = "right_gone"
    TOKEN_EXPIRED = "token_expired"  # noqa: S105 - a reason, not a credential
    NO_DATABASE = "no_database"
    STOPPING = "stopping"
    CLIENT_GONE = "client_gone"


@dataclass(slots=True, eq=False)
class OpenStream:
    """`last`: the position of the last entry that the client has. Later ones are for it."""

    reader: Reader
    org_id: str
    partition: int
    last: int
    ended: "asyncio.Future[End]"
    _events: deque[tuple[int, bytes]] = field(default_factory=deque)
    _queued_bytes: int = 0
    _offered: int = -1
    _arrived: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def user_id(self) -> str | None:
        """None for a service: no row-level security confines it."""
        return self.reader.user_id

    @property
    def has_ended(self) -> bool:
        return self.ended.done()

    def offer(self, position: int, event: bytes) -> None:
        if position <= max(self.last, self._offered) or self.ended.done():
            return
        self._offered = position
        if len(self._events) >= MAX_QUEUED_EVENTS or (
            self._events and self._queued_bytes + len(event) > MAX_QUEUED_BYTES
        ):
            self.end(End.SLOW)
            return
        self._events.append((position, event))
        self._queued_bytes += len(event)
        self._arrived.set()

    def end(self, reason: End) -> None:
        if not self.ended.done():
            self.ended.set_result(reason)
            self._events.clear()
            self._arrived.set()

    async def next_event(self, seconds: float) -> bytes | None:
        """The next entry's event; None if none comes within `seconds`, or if the stream has ended."""
        while True:
            while self._events:
                position, event = self._events.popleft()
                self._queued_bytes -= len(event)
                if position > self.last:
                    self.last = position
                    return event
            if self.ended.done():
                return None
            self._arrived.clear()
            try:
                async with asyncio.timeout(seconds):
                    await self._arrived.wait()
            except TimeoutError:
                return None
