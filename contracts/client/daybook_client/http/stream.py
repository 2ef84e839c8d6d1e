"""Follows an org's log over the live stream of the read API: a position in, entries out. After a lost connection, it
connects again and continues after the last entry.
"""

import asyncio
import logging
import math
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Final
from uuid import UUID

import msgspec

from daybook_client.attempts import Again, Attempts
from daybook_client.http.events import EventParser, EventTooLong
from daybook_client.http.reader import read_failure
from daybook_client.http.session import NoAnswer, Session
from daybook_client.items import LogEntry

OPEN_SECONDS: Final = 10.0
SILENCE_SECONDS: Final = 10.0
"""The server sends a comment each second. After this long without a byte, the connection counts as lost."""
EVENT_STREAM: Final = "text/event-stream"

_ENTRY: Final = msgspec.json.Decoder(LogEntry)
log = logging.getLogger("daybook_client")


class Interrupted(Exception):
    def __init__(self, again: Again) -> None:
        super().__init__(again.reason)
        self.again = again


class OrgStream:
    """`after`: the position after which to begin; None to begin with the next entry that is projected."""

    def __init__(
        self,
        session: Session,
        org_id: UUID,
        after: str | None,
        is_open: Callable[[], bool],
        silence_seconds: float = SILENCE_SECONDS,
    ) -> None:
        self._session = session
        self._path = f"/v1/orgs/{org_id}/audit-log/stream"
        self._last = after
        self._is_open = is_open
        self._silence_seconds = silence_seconds

    async def entries(self) -> AsyncGenerator[LogEntry]:
        """Ends when the client is closed. Raises NotVisible, CredentialsRefused and Misuse."""
        loop, attempts = asyncio.get_running_loop(), _attempts()
        while self._is_open():
            try:
                async with aclosing(self._until_interrupted()) as found:
                    async for entry in found:
                        attempts = _attempts()
                        yield entry
            except Interrupted as interrupted:
                if not self._is_open():
                    return
                pause = attempts.pause([interrupted.again], loop.time()) or 0.0
                fields = {"reason": str(interrupted), "after": self._last, "pause_seconds": round(pause, 3)}
                log.info("stream_interrupted", extra=fields)
                await asyncio.sleep(pause)

    async def _until_interrupted(self) -> AsyncGenerator[LogEntry]:
        """The entries of one connection. Raises Interrupted when the connection ends."""
        headers = {"accept": EVENT_STREAM} | ({} if self._last is None else {"last-event-id": self._last})
        parser = EventParser()
        try:
            async with self._session.stream(self._path, headers, OPEN_SECONDS) as (answer, chunks):
                if answer.status != 200 or not answer.headers.get("content-type", "").startswith(EVENT_STREAM):
                    raise Interrupted(read_failure(self._path, answer))
                while (chunk := await chunks.next(self._silence_seconds)) is not None:
                    for event in parser.feed(chunk):
                        entry = None if event.data is None else _ENTRY.decode(event.data)
                        self._last = event.id or self._last
                        if entry is not None:
                            yield entry
        except (NoAnswer, EventTooLong, msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Interrupted(Again(str(error))) from error
        raise Interrupted(Again("the stream ended"))


def _attempts() -> Attempts:
    return Attempts(math.inf, OPEN_SECONDS)
