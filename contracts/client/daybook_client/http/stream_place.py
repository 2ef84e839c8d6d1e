"""How far an org's live stream has been read: chunks of bytes in, entries out, and the headers with which the next
connection continues. No I/O.
"""

import math
from collections.abc import Iterator
from typing import Final
from uuid import UUID

import msgspec

from daybook_client.answers import Answer
from daybook_client.attempts import Again, Attempts
from daybook_client.errors import Misuse
from daybook_client.http.events import EventParser, EventTooLong
from daybook_client.http.reader import read_failure
from daybook_client.items import LogEntry
from daybook_client.positions import START, Starts

OPEN_SECONDS: Final = 10.0
SILENCE_SECONDS: Final = 10.0
"""The server sends a comment each second. After this long without a byte, the connection counts as lost."""
EVENT_STREAM: Final = "text/event-stream"

_ENTRY: Final = msgspec.json.Decoder(LogEntry)


class Interrupted(Exception):
    def __init__(self, again: Again) -> None:
        super().__init__(again.reason)
        self.again = again


class StreamPlace:
    """Without any `starts`, the first entry is the next one that is projected. Raises Misuse."""

    def __init__(self, org_id: UUID, starts: Starts) -> None:
        self.path = f"/v1/orgs/{org_id}/audit-log/stream"
        self.last = _event_id(starts)
        self._parser = EventParser()

    def connect(self) -> dict[str, str]:
        """The headers of a new connection."""
        self._parser = EventParser()
        return {"accept": EVENT_STREAM} | ({} if self.last is None else {"last-event-id": self.last})

    def check(self, answer: Answer) -> None:
        """If the answer is not a stream, raises Interrupted, NotVisible, CredentialsRefused or Misuse."""
        if answer.status != 200 or not answer.headers.get("content-type", "").startswith(EVENT_STREAM):
            raise Interrupted(read_failure(self.path, answer))

    def entries(self, chunk: bytes) -> Iterator[LogEntry]:
        """The entries that this chunk completes. Raises Interrupted."""
        try:
            for event in self._parser.feed(chunk):
                entry = None if event.data is None else _ENTRY.decode(event.data)
                self.last = event.id or self.last
                if entry is not None:
                    yield entry
        except (EventTooLong, msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Interrupted(Again(str(error))) from error


def stream_attempts() -> Attempts:
    return Attempts(math.inf, OPEN_SECONDS)


def _event_id(starts: Starts) -> str | None:
    """The event id after which the server begins. None: it begins with the next entry."""
    if len(starts.places) > 1:
        raise Misuse("over HTTP, tail follows one org after one position; use over_kafka to follow all orgs")
    for partition, after in starts.places.items():
        return START if after.number < 0 else f"{partition}.{after.number}"
    return None if starts.others is None else START
