"""What `stream` does, without asyncio."""

import time
from collections.abc import Iterator
from threading import Event

from daybook_client.attempts import Again
from daybook_client.http.blocking_session import BlockingSession
from daybook_client.http.session import NoAnswer
from daybook_client.http.stream import log_interruption
from daybook_client.http.stream_place import OPEN_SECONDS, SILENCE_SECONDS, Interrupted, StreamPlace, stream_attempts
from daybook_client.items import LogEntry


def stream_entries(session: BlockingSession, place: StreamPlace, closed: Event) -> Iterator[LogEntry]:
    """Ends when `closed` is set. Raises NotVisible, CredentialsRefused and Misuse."""
    attempts = stream_attempts()
    while not closed.is_set():
        try:
            for entry in _until_interrupted(session, place, closed):
                attempts = stream_attempts()
                yield entry
        except Interrupted as interrupted:
            if closed.is_set():
                return
            pause = attempts.pause([interrupted.again], time.monotonic()) or 0.0
            log_interruption(interrupted, place, pause)
            closed.wait(pause)


def _until_interrupted(session: BlockingSession, place: StreamPlace, closed: Event) -> Iterator[LogEntry]:
    """The entries of one connection. Raises Interrupted when the connection ends."""
    try:
        with session.stream(place.path, place.connect(), OPEN_SECONDS, SILENCE_SECONDS) as (answer, chunks):
            place.check(answer)
            for chunk in chunks:  # at least one in each second
                if closed.is_set():
                    break
                yield from place.entries(chunk)
    except NoAnswer as error:
        raise Interrupted(Again(str(error))) from error
    raise Interrupted(Again("the stream ended"))
