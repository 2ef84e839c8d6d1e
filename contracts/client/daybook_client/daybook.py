"""`Daybook`, the object that programs use: it sends commands, and reads the tables and the log."""

import ssl
from collections.abc import AsyncGenerator, Iterable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Self
from uuid import UUID

from daybook_client.command import Command, Id
from daybook_client.defaults import given, optional, secret
from daybook_client.errors import CredentialsRefused, Misuse
from daybook_client.extras import needing
from daybook_client.outcomes import Accepted, Found, Outcome
from daybook_client.positions import parse_starts
from daybook_client.send_queues import Commands, send_through_queues
from daybook_client.transport import ATTEMPT_SECONDS, Transport, send_until_decided

if TYPE_CHECKING:
    from daybook_client.http.credentials import Token
    from daybook_client.http.reader import Reader
    from daybook_client.http.session import Session
    from daybook_client.items import LogEntry
    from daybook_client.kafka.connection import KafkaConnection

DEADLINE_SECONDS = 30.0
IN_FLIGHT = 2_000
NO_READ_URL = "the read API's address is not known: give read_url, or set DAYBOOK_READ_URL"


class Daybook:
    """Connects to Daybook: `async with Daybook.over_http(...) as daybook`. Keep one for the life of the program.

    Outages raise no errors: commands are sent again with the same id until the deadline.
    """

    def __init__(
        self, transport: Transport, reads: "Session | None", log: "tuple[KafkaConnection, str] | None" = None
    ) -> None:
        """Use `over_http` or `over_kafka`."""
        self._transport = transport
        self._reads = reads
        self._log = log
        transport.visible = self._until_visible
        self._open = self._closed = False

    @classmethod
    def over_http(
        cls,
        url: str | None = None,
        *,
        token: "Token | None" = None,
        read_url: str | None = None,
        attempt_seconds: float = ATTEMPT_SECONDS,
        tls: ssl.SSLContext | None = None,
    ) -> Self:
        """`url`: of the command API, by default DAYBOOK_URL. `token`: a string, or an async function that is called for
        a new token whenever Daybook refuses the last one; by default DAYBOOK_TOKEN. `read_url`: of the read API, by
        default DAYBOOK_READ_URL. `attempt_seconds` limits one request; retries go on until the deadline of each call.
        `tls`: how to verify the server; by default with the system's certificate authorities.
        """
        with needing("http"):
            from daybook_client.http.session import Session, reading_session  # noqa: PLC0415 - httpx is slow to load
            from daybook_client.http.transport import HttpTransport  # noqa: PLC0415 - as above

        found = token if callable(token) else secret(token, "DAYBOOK_TOKEN")
        transport = HttpTransport(Session(given(url, "DAYBOOK_URL"), found, tls), attempt_seconds)
        return cls(transport, reading_session(optional(read_url, "DAYBOOK_READ_URL"), found, tls))

    @classmethod
    def over_kafka(  # noqa: PLR0913 - all of them have defaults
        cls,
        bootstrap: "str | KafkaConnection | None" = None,
        *,
        principal: str | None = None,
        key: str | None = None,
        topic_prefix: str | None = None,
        read_url: str | None = None,
        token: "Token | None" = None,
        attempt_seconds: float = ATTEMPT_SECONDS,
    ) -> Self:
        """`bootstrap`: Kafka servers, `host:port,…`, by default DAYBOOK_KAFKA_BOOTSTRAP. The login is taken from the
        other DAYBOOK_KAFKA_… variables. `principal`: the sender, `service:NAME`, by default DAYBOOK_PRINCIPAL. `key`:
        the key that signs the sender's records, by default DAYBOOK_SERVICE_KEY; `""` for none. `topic_prefix`: by
        default DAYBOOK_TOPIC_PREFIX, or `daybook.`. `read_url`, `token`: of the read API, as for `over_http`.
        `attempt_seconds` limits the wait for one reply; retries go on until the deadline of each call.
        """
        with needing("kafka"):
            from daybook_client.kafka.connection import connection_by_default  # noqa: PLC0415 - aiokafka is slow, too
            from daybook_client.kafka.transport import KafkaTransport, signer_of  # noqa: PLC0415 - as above

        connection = connection_by_default(bootstrap) if bootstrap is None or isinstance(bootstrap, str) else bootstrap
        signer = signer_of(given(principal, "DAYBOOK_PRINCIPAL"), secret(key, "DAYBOOK_SERVICE_KEY"))
        prefix = optional(topic_prefix, "DAYBOOK_TOPIC_PREFIX") or "daybook."
        reads = None
        if (found_url := optional(read_url, "DAYBOOK_READ_URL")) is not None:
            with needing("http"):
                from daybook_client.http.session import reading_session  # noqa: PLC0415 - as above

            reads = reading_session(found_url, token if callable(token) else secret(token, "DAYBOOK_TOKEN"), None)
        return cls(KafkaTransport(connection, prefix, signer, attempt_seconds), reads, (connection, prefix))

    async def send(self, command: Command, *, deadline: float = DEADLINE_SECONDS) -> Outcome:
        """The command's outcome; `Unknown` if there is none after `deadline` seconds. Raises CredentialsRefused."""
        (found,) = await self._send([command], deadline)
        if isinstance(found, CredentialsRefused):
            raise found
        return found

    def send_many(
        self, commands: Commands, *, deadline: float = DEADLINE_SECONDS, in_flight: int = IN_FLIGHT
    ) -> AsyncGenerator[Outcome]:
        """The outcomes of many commands, in the order given: `async for outcome in daybook.send_many(commands)`.

        The commands of one org are decided in the order given. `deadline`: seconds for each command, from when it is
        sent. If a command's outcome stays unknown, the later commands of its org are not sent, and are `Unknown` too.
        At most `in_flight` commands are taken ahead of the outcomes. Raises Misuse, any error that `commands`
        raises, and CredentialsRefused in place of the first outcome that it prevented.
        """
        if in_flight < 1:
            raise Misuse(f"in_flight is {in_flight}: it must be at least 1")
        return send_through_queues(
            lambda several: self._send(several, deadline), commands, in_flight, self._transport.queues
        )

    async def _send(self, commands: Sequence[Command], deadline: float) -> list[Found]:
        self._require_open()
        return await send_until_decided(self._transport, commands, deadline, lambda: self._open)

    async def wait_for(self, position: str, timeout: float = 5.0) -> None:  # noqa: ASYNC109 - the server waits
        """Returns when the tables show everything up to `position`. Raises TimeoutError after `timeout` seconds."""
        reads = self._require_reads()
        from daybook_client.http.reads import wait_for_position  # noqa: PLC0415 - httpx is optional

        await wait_for_position(reads, position, timeout)

    @property
    def read(self) -> "Reader":
        """Iterators over the read API: `async for project in daybook.read.projects(org_id)`."""
        reads = self._require_reads()
        from daybook_client.http.reader import Reader  # noqa: PLC0415 - httpx is optional

        return Reader(reads)

    def tail(
        self, org_id: Id | Literal["all"], *, after: str | Iterable[str] | None = None
    ) -> "AsyncGenerator[LogEntry]":
        """The entries of an org's log as they come, each once: `async for entry in daybook.tail(org_id)`. The iterator
        resumes after outages, and ends when this object is closed.

        `after`: the checkpoint or the position of the last entry that you have, or `"start"`; without it, the iterator
        begins with the next new entry. Over Kafka, `"all"` gives the entries of all orgs, and `after` may have one for
        each partition; `"start"` among them stands for all other partitions.

        Raises CredentialsRefused, NotVisible if the token's user may not read the log, and LogChanged.
        """
        self._require_open()
        org = None if org_id == "all" else org_uuid(org_id)
        starts = parse_starts(after)
        if self._log is not None:
            from daybook_client.kafka.tail import LogTail  # noqa: PLC0415 - aiokafka is optional

            return LogTail(*self._log, org, starts, lambda: self._open).entries()
        if org is None:
            raise Misuse("over HTTP, tail follows one org; use over_kafka to follow all orgs")
        reads = self._require_reads()
        from daybook_client.http.stream import OrgStream  # noqa: PLC0415 - httpx is optional
        from daybook_client.http.stream_place import StreamPlace  # noqa: PLC0415 - as above

        return OrgStream(reads, StreamPlace(org, starts), lambda: self._open).entries()

    def _require_reads(self) -> "Session":
        self._require_open()
        if self._reads is None:
            raise Misuse(NO_READ_URL)
        return self._reads

    async def _until_visible(self, accepted: Accepted, seconds: float) -> None:
        if self._reads is not None:
            await self.wait_for(accepted.position, seconds)
        else:
            self._require_open()
            await self._transport.until_visible(accepted, seconds)

    def _require_open(self) -> None:
        if not self._open:
            raise Misuse("not connected: use `async with`, or call `open` first and `close` at the end")

    async def open(self) -> None:
        """Raises CredentialsRefused or Misuse."""
        if self._closed:
            raise Misuse("closed: make another Daybook object, because this one cannot be opened again")
        await self._transport.open()
        self._open = not self._closed

    async def close(self) -> None:
        """Closes the connections, for good. Commands that are still in flight are not sent again: their outcomes are
        `Unknown`, unless their answers have arrived.
        """
        self._open, self._closed = False, True
        await self._transport.close()
        if self._reads is not None:
            await self._reads.close()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


def org_uuid(org_id: Id) -> UUID:
    try:
        return UUID(str(org_id))
    except ValueError as error:
        raise Misuse(f"{org_id!r} is not the id of an org") from error
