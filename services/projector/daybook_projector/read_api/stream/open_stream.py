"""One open stream: a bounded queue of events between the reader of all streams and one client."""

import asyncio
from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from daybook_projector.read_api.reader import Reader
from daybook_projector.read_api.stream.events import COMMENT

# A client that is this far behind is cut off: it resumes after the last entry that it has read.
MAX_QUEUED_BYTES: Final = 1024 * 1024
MAX_QUEUED_EVENTS: Final = 1_000
# Events that wait are written together, up to this size and one event more.
MAX_WRITE_BYTES: Final = 64 * 1024


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
    _waiter: "asyncio.Future[None] | None" = None
    _is_silent: bool = False
    _wants_comment: bool = False

    @property
    def user_id(self) -> str | None:
        """None for a service: no row-level security confines it."""
        return self.reader.user_id

    @property
    def has_ended(self) -> bool:
        return self.ended.done()

    def offer(self, position: int, event: bytes) -> None:
        if position <= max(self.last, self._offered) or self.has_ended:
            return
        self._offered = position
        if len(self._events) >= MAX_QUEUED_EVENTS or (
            self._events and self._queued_bytes + len(event) > MAX_QUEUED_BYTES
        ):
            self.end(End.SLOW)
            return
        self._events.append((position, event))
        self._queued_bytes += len(event)
        self._is_silent = False
        self._wake()

    def beat(self) -> None:
        """Called each second: the client gets a comment if nothing else came since the last beat."""
        if self._is_silent:
            self._wants_comment = True
            self._wake()
        self._is_silent = True

    def end(self, reason: End) -> None:
        if not self.has_ended:
            self.ended.set_result(reason)
            self._events.clear()
            self._wake()

    async def next_bytes(self) -> bytes:
        """What to send next: events, or a comment. Empty when the stream has ended."""
        while not (self._events or self._wants_comment or self.has_ended):
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        if self._events:
            return self._take_events()
        self._wants_comment = False
        return b"" if self.has_ended else COMMENT

    def _take_events(self) -> bytes:
        found, size = [], 0
        while self._events and size < MAX_WRITE_BYTES:
            position, event = self._events.popleft()
            self._queued_bytes -= len(event)
            # What the stream read itself has come already.
            if position > self.last:
                self.last = position
                found.append(event)
                size += len(event)
        return b"".join(found)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
