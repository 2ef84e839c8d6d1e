"""The client without asyncio, over HTTP only. Names, outcomes and rules are those of `daybook_client`:
`from daybook_client.blocking import Accepted, Daybook, Rejected, Unknown, commands`.
"""

import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from types import TracebackType
from typing import Final, Self

from daybook_client import commands, outcomes
from daybook_client.attempts import Again, Attempts
from daybook_client.command import Command, Id, new_id_of
from daybook_client.daybook import DEADLINE_SECONDS, NO_READ_URL, org_uuid
from daybook_client.defaults import given, optional, secret
from daybook_client.errors import ClientError, CredentialsRefused, Misuse, NotVisible
from daybook_client.extras import needing
from daybook_client.items import LogEntry
from daybook_client.outcomes import Rejected, Unknown
from daybook_client.positions import parse_starts
from daybook_client.send_queues import HELD_BACK
from daybook_client.transport import ATTEMPT_SECONDS, log_attempt
from daybook_contracts.codes import Code
from daybook_contracts.results import EntryRef

with needing("http"):
    from daybook_client.http.blocking_session import (
        BlockingSession,
        BlockingToken,
        attempt,
        wait_for_position,
        wait_until_shown,
    )
    from daybook_client.http.blocking_stream import stream_entries
    from daybook_client.http.stream_place import StreamPlace

__all__ = [
    "Accepted",
    "ClientError",
    "Code",
    "Command",
    "CredentialsRefused",
    "Daybook",
    "EntryRef",
    "Id",
    "LogEntry",
    "Misuse",
    "NotVisible",
    "Outcome",
    "Rejected",
    "Unknown",
    "commands",
    "new_id_of",
]

AT_ONCE: Final = 250


@dataclass(frozen=True, slots=True)
class Accepted:
    """The command is in the log and will stay there. `position` is the place of its last entry, such as `3.1042`."""

    command: Command
    position: str
    entries: tuple[EntryRef, ...]
    _visible: Callable[["Accepted", float], None] = field(repr=False, compare=False)

    def __str__(self) -> str:
        return f"{self.command.TYPE} {self.command.id}: accepted at {self.position}"

    def visible(self, timeout: float = 5.0) -> None:
        """Returns when the tables show what the command changed. Raises TimeoutError after `timeout` seconds: the
        command is still accepted, and becomes visible later.
        """
        self._visible(self, timeout)


Outcome = Accepted | Rejected | Unknown
Found = Outcome | CredentialsRefused


class Daybook:
    """Connects to Daybook: `with Daybook.over_http(...) as daybook`. Threads may share one; processes may not."""

    def __init__(
        self, session: BlockingSession, new_reads: Callable[[], BlockingSession] | None, attempt_seconds: float
    ) -> None:
        """Use `over_http`."""
        self._session = session
        self._new_reads = new_reads
        self._reads = None if new_reads is None else new_reads()
        self._closed = threading.Event()
        self._attempt_seconds = attempt_seconds

    @classmethod
    def over_http(
        cls,
        url: str | None = None,
        *,
        token: BlockingToken | None = None,
        read_url: str | None = None,
        attempt_seconds: float = ATTEMPT_SECONDS,
        tls: ssl.SSLContext | None = None,
    ) -> Self:
        """Like `over_http` of `daybook_client.Daybook`, but a function for `token` is an ordinary one, not async."""
        found = token if callable(token) else secret(token, "DAYBOOK_TOKEN")
        reads = optional(read_url, "DAYBOOK_READ_URL")
        return cls(
            BlockingSession(given(url, "DAYBOOK_URL"), found, tls),
            None if reads is None else partial(BlockingSession, reads, found, tls),
            attempt_seconds,
        )

    def send(self, command: Command, *, deadline: float = DEADLINE_SECONDS) -> Outcome:
        """The command's outcome; `Unknown` if there is none after `deadline` seconds. Raises CredentialsRefused."""
        (found,) = self._send([command], deadline)
        if isinstance(found, CredentialsRefused):
            raise found
        return found

    def send_many(
        self, commands: Iterable[Command], *, deadline: float = DEADLINE_SECONDS, at_once: int = AT_ONCE
    ) -> Iterator[Outcome]:
        """The outcomes of many commands, in the order of the commands. Takes and sends `at_once` commands at a time.

        The commands of one org are decided in the order given. `deadline`: seconds for each command, from when it is
        sent. If a command's outcome stays unknown, the later commands of its org are not sent, and are `Unknown` too.
        Raises CredentialsRefused in place of the first outcome that it prevented.
        """
        if at_once < 1:
            raise Misuse(f"at_once is {at_once}: it must be at least 1")
        return self._send_parts(commands, deadline, at_once)

    def _send_parts(self, commands: Iterable[Command], deadline: float, at_once: int) -> Iterator[Outcome]:
        unknown_keys = set[str]()
        for part in _parts(commands, at_once):
            sent = [command for command in part if command.key not in unknown_keys]
            found = iter(self._send(sent, deadline) if sent else [])
            results = [
                next(found) if command.key not in unknown_keys else Unknown(command, HELD_BACK) for command in part
            ]
            unknown_keys |= {each.command.key for each in results if isinstance(each, Unknown)}
            for each in results:
                if isinstance(each, CredentialsRefused):
                    raise each
                yield each

    def wait_for(self, position: str, timeout: float = 5.0) -> None:
        """Returns when the tables show everything up to `position`. Raises TimeoutError after `timeout` seconds."""
        self._require_open()
        if self._reads is None:
            raise Misuse(NO_READ_URL)
        wait_for_position(self._reads, position, timeout)

    def tail(self, org_id: Id, *, after: str | None = None) -> Iterator[LogEntry]:
        """The entries of an org's log as they come, each once: `for entry in daybook.tail(org_id)`. See `tail` of
        `daybook_client.Daybook`. The iterator has a connection of its own. If another thread closes this object, the
        iterator ends about a second later, or after the timeout if it is waiting for a server that does not answer.
        """
        self._require_open()
        if self._new_reads is None:
            raise Misuse(NO_READ_URL)
        place = StreamPlace(org_uuid(org_id), parse_starts(after))
        return self._tail(self._new_reads, place)

    def _tail(self, new_reads: Callable[[], BlockingSession], place: StreamPlace) -> Iterator[LogEntry]:
        with closing(new_reads()) as session:
            yield from stream_entries(session, place, self._closed)

    def _until_visible(self, accepted: Accepted, seconds: float) -> None:
        if self._reads is not None:
            self.wait_for(accepted.position, seconds)
        else:
            self._require_open()
            wait_until_shown(self._session, accepted.command, seconds, self._attempt_seconds)

    def _send(self, several: Sequence[Command], deadline: float) -> list[Found]:
        self._require_open()
        attempts = Attempts(time.monotonic() + deadline, self._attempt_seconds)
        found: dict[int, Found] = {}
        open_places = list(range(len(several)))
        while True:
            asked = [several[place] for place in open_places]
            verdicts = attempt(self._session, asked, attempts.seconds(time.monotonic()))
            again = list[tuple[int, Again]]()
            for place, verdict in zip(open_places, verdicts, strict=True):
                if isinstance(verdict, Again):
                    again.append((place, verdict))
                else:
                    found[place] = self._found(verdict)
            pause = attempts.pause([each for _, each in again], time.monotonic())
            if not again or pause is None or self._closed.is_set():
                found |= {place: Unknown(several[place], each.reason) for place, each in again}
                return [found[place] for place in range(len(several))]
            log_attempt(len(again), again[0][1], pause)
            open_places = [place for place, _ in again]
            self._closed.wait(pause)

    def _found(self, decided: outcomes.Accepted | Rejected | CredentialsRefused) -> Found:
        if not isinstance(decided, outcomes.Accepted):
            return decided
        return Accepted(decided.command, decided.position, decided.entries, self._until_visible)

    def _require_open(self) -> None:
        if self._closed.is_set():
            raise Misuse("closed: use this object inside `with`, or make another one")

    def close(self) -> None:
        """Closes the connections, for good. Commands that are still in flight are not sent again: their outcomes are
        `Unknown`, unless their answers have arrived.
        """
        self._closed.set()
        self._session.close()
        if self._reads is not None:
            self._reads.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _parts(commands: Iterable[Command], at_once: int) -> Iterator[list[Command]]:
    part = list[Command]()
    for command in commands:
        part.append(command)
        if len(part) == at_once:
            yield part
            part = []
    if part:
        yield part
