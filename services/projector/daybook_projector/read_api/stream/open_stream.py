"""One open stream: a bounded queue of events between the hub and one client."""

import asyncio
from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from daybook_projector.read_api.reader import Reader
from daybook_projector.read_api.stream.events import COMMENT

# A client that is further behind than this is disconnected. It can resume after the last entry that it has read.
MAX_QUEUED_BYTES: Final = 1024 * 1024
MAX_QUEUED_EVENTS: Final = 1_000
# One write takes queued events until it has at least this size.
MAX_WRITE_BYTES: Final = 64 * 1024


class End(StrEnum):
    """Why a stream ended: a label of the metric, and the text of the stream's last comment."""

    SLOW = "slow"
    RIGHT_GONE = "right_gone"
    TOKEN_EXPIRED = "token_expired"  # noqa: S105 - a reason, not a credential
    NO_DATABASE = "no_database"
    STOPPING = "stopping"
    CLIENT_GONE = "client_gone"


@dataclass(slots=True, eq=False)
class OpenStream:
    """`last`: the position of the last entry that the client has. The stream gets only later entries."""

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
        """None for a service: row-level security does not restrict services."""
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
        """Called each second. Sends the client a comment if no event was queued since the previous call."""
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
        """Waits for the next bytes to send: events or a comment. Empty if the stream has ended."""
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
            # Earlier entries were already sent when the client caught up.
            if position > self.last:
                self.last = position
                found.append(event)
                size += len(event)
        return b"".join(found)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
