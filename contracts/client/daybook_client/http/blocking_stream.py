"""What `stream` does, without asyncio."""

import time
from collections.abc import Callable, Iterator

from daybook_client.attempts import Again
from daybook_client.http.blocking_session import BlockingSession
from daybook_client.http.session import NoAnswer
from daybook_client.http.stream import log_interruption
from daybook_client.http.stream_place import OPEN_SECONDS, SILENCE_SECONDS, Interrupted, StreamPlace, stream_attempts
from daybook_client.items import LogEntry


def stream_entries(session: BlockingSession, place: StreamPlace, is_open: Callable[[], bool]) -> Iterator[LogEntry]:
    """Ends when the client is closed. Raises NotVisible, CredentialsRefused and Misuse."""
    attempts = stream_attempts()
    while is_open():
        try:
            for entry in _until_interrupted(session, place, is_open):
                attempts = stream_attempts()
                yield entry
        except Interrupted as interrupted:
            if not is_open():
                return
            pause = attempts.pause([interrupted.again], time.monotonic()) or 0.0
            log_interruption(interrupted, place, pause)
            time.sleep(pause)


def _until_interrupted(session: BlockingSession, place: StreamPlace, is_open: Callable[[], bool]) -> Iterator[LogEntry]:
    """The entries of one connection. Raises Interrupted when the connection ends."""
    try:
        with session.stream(place.path, place.connect(), OPEN_SECONDS, SILENCE_SECONDS) as (answer, chunks):
            place.check(answer)
            for chunk in chunks:  # at least one in each second
                if not is_open():
                    break
                yield from place.entries(chunk)
    except NoAnswer as error:
        raise Interrupted(Again(str(error))) from error
    raise Interrupted(Again("the stream ended"))
