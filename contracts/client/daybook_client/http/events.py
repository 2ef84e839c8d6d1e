"""Parses server-sent events: the bytes of a stream in, in chunks of any size, events out. No I/O."""

from dataclasses import dataclass
from typing import Final

# Larger than any entry: the log accepts at most 4 MiB, and JSON escapes can make the entry longer here.
MAX_EVENT_BYTES: Final = 16 * 1024 * 1024


class EventTooLong(Exception):
    """An event has more than MAX_EVENT_BYTES."""


@dataclass(frozen=True, slots=True)
class Event:
    """`id` and `data` are None if the event does not have them. An event without data only gives the position of the
    stream.
    """

    id: str | None
    data: bytes | None


class EventParser:
    """Skips comments and other fields. Returns an event only when the empty line that ends it has come."""

    def __init__(self) -> None:
        self._rest = b""
        self._id: str | None = None
        self._data: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> list[Event]:
        """The events that this chunk completes. Raises EventTooLong."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        found = [event for line in lines if (event := self._take(line.removesuffix(b"\r"))) is not None]
        if self._size + len(self._rest) > MAX_EVENT_BYTES:
            raise EventTooLong(f"an event has more than {MAX_EVENT_BYTES} bytes")
        return found

    def _take(self, line: bytes) -> Event | None:
        if not line:
            return self._finish()
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"id":
            self._id = value.decode("latin-1")
        elif name == b"data":
            self._data.append(value)
            self._size += len(value)
        return None

    def _finish(self) -> Event | None:
        event = Event(self._id, b"\n".join(self._data) if self._data else None)
        self._id, self._data, self._size = None, [], 0
        return None if event == Event(None, None) else event
