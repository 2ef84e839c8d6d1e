"""Follows an org's log over the live stream of the read API: a place in, entries out. After a lost connection, it
connects again and continues after the last entry.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from daybook_client.attempts import Again
from daybook_client.http.session import NoAnswer, Session
from daybook_client.http.stream_place import OPEN_SECONDS, SILENCE_SECONDS, Interrupted, StreamPlace, stream_attempts
from daybook_client.items import LogEntry

log = logging.getLogger("daybook_client")


class OrgStream:
    def __init__(
        self,
        session: Session,
        place: StreamPlace,
        is_open: Callable[[], bool],
        silence_seconds: float = SILENCE_SECONDS,
    ) -> None:
        self._session = session
        self._place = place
        self._is_open = is_open
        self._silence_seconds = silence_seconds

    async def entries(self) -> AsyncGenerator[LogEntry]:
        """Ends when the client is closed. Raises NotVisible, CredentialsRefused and Misuse."""
        loop, attempts = asyncio.get_running_loop(), stream_attempts()
        while self._is_open():
            try:
                async with aclosing(self._until_interrupted()) as found:
                    async for entry in found:
                        attempts = stream_attempts()
                        yield entry
            except Interrupted as interrupted:
                if not self._is_open():
                    return
                pause = attempts.pause([interrupted.again], loop.time()) or 0.0
                log_interruption(interrupted, self._place, pause)
                await asyncio.sleep(pause)

    async def _until_interrupted(self) -> AsyncGenerator[LogEntry]:
        """The entries of one connection. Raises Interrupted when the connection ends."""
        place = self._place
        try:
            async with self._session.stream(place.path, place.connect(), OPEN_SECONDS) as (answer, chunks):
                place.check(answer)
                while (chunk := await chunks.next(self._silence_seconds)) is not None:
                    for entry in place.entries(chunk):
                        yield entry
        except NoAnswer as error:
            raise Interrupted(Again(str(error))) from error
        raise Interrupted(Again("the stream ended"))


def log_interruption(interrupted: Interrupted, place: StreamPlace, pause: float) -> None:
    fields = {"reason": str(interrupted), "after": place.last, "pause_seconds": round(pause, 3)}
    log.info("stream_interrupted", extra=fields)
