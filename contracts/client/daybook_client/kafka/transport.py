"""Sends commands over Kafka, after the same checks as at the HTTP door, so that no secret reaches the topic."""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import AsyncExitStack

from daybook_client.answers import record_verdict
from daybook_client.attempts import Again, Verdict
from daybook_client.command import Command
from daybook_client.errors import CredentialsRefused, KafkaAway, KafkaRefuses, Misuse
from daybook_client.kafka.command_publisher import Fate
from daybook_client.kafka.connection import KafkaConnection
from daybook_client.kafka.requests import Exchange, Request, Requests, requesting
from daybook_client.outcomes import Accepted, Rejected, Visible
from daybook_client.traces import traceparent
from daybook_contracts.codes import HTTP_STATUS, TOO_LARGE_STATUS
from daybook_contracts.commands.faults import InvalidCommand
from daybook_contracts.commands.normalised import normalised_bytes
from daybook_contracts.commands.parse import parse_command
from daybook_contracts.senders.principals import InvalidPrincipal, parse_publisher
from daybook_contracts.senders.signer import Signer

CLIENT_ID = "daybook-client"
NO_REPLY = Again("published, but not answered yet")
NOT_ACKNOWLEDGED = Again("Kafka did not acknowledge the command")
AWAY = "Kafka could not be reached"

Answer = bytes | Again | CredentialsRefused
"""The value of a reply, or the reason why there is none."""

log = logging.getLogger(__name__)


class KafkaTransport:
    # Few: the commands of one attempt share record batches, and each attempt costs as much as several commands.
    queues = 4
    visible: Visible | None = None

    def __init__(self, connection: KafkaConnection, topic_prefix: str, signer: Signer, attempt_seconds: float) -> None:
        self._connection = connection
        self._topic_prefix = topic_prefix
        self._signer = signer
        self.attempt_seconds = attempt_seconds
        self._opened = AsyncExitStack()
        self._requests: Requests | None = None
        self._is_closed = False
        self._opening = asyncio.Lock()
        self._waiting: set[asyncio.Future[list[Fate]]] = set()

    async def open(self) -> None:
        """Connects now, so that the first command is quick. If Kafka is away, the next attempt connects."""
        try:
            await self._connected()
        except KafkaAway as away:
            log.warning("kafka_not_reached", extra={"reason": str(away)})

    async def close(self) -> None:
        self._is_closed = True
        async with self._opening:  # an attempt may be connecting
            await self._opened.aclose()
        await asyncio.gather(*self._waiting)

    async def _connected(self) -> Requests:
        async with self._opening:
            if self._is_closed:
                raise KafkaAway("the client was closed")
            if self._requests is None:
                opening = requesting(
                    self._connection, self._topic_prefix, CLIENT_ID, self._signer, self.attempt_seconds / 2
                )
                try:
                    self._requests = await self._opened.enter_async_context(opening)
                except KafkaRefuses as refused:
                    raise CredentialsRefused(str(refused)) from refused
            return self._requests

    async def attempt(self, commands: Sequence[Command], seconds: float) -> list[Verdict]:
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + seconds
        trace = traceparent()
        checked = [_checked(command, None if trace is None else trace.encode()) for command in commands]
        sent = [each for each in checked if isinstance(each, Request)]
        answers = iter(await self._exchange(sent, ends_at) if sent else [])
        return [
            self._verdict(command, next(answers)) if isinstance(each, Request) else each
            for command, each in zip(commands, checked, strict=True)
        ]

    def _verdict(self, command: Command, answer: Answer) -> Verdict:
        return record_verdict(command, answer, self.visible) if isinstance(answer, bytes) else answer

    async def _exchange(self, requests: Sequence[Request], ends_at: float) -> list[Answer]:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout_at(ends_at):
                connected = await self._connected()
                exchange = await connected.publish(requests)
        except (KafkaAway, TimeoutError) as away:
            return [Again(str(away) or AWAY) for _ in requests]
        except CredentialsRefused as refused:
            return [refused for _ in requests]
        try:
            fates = await self._fates(exchange, ends_at)
            not_published = Again(connected.fault or AWAY)
            await exchange.wait(fates, ends_at - loop.time())
            return [_answer(*each, not_published) for each in zip(fates, exchange.replies, strict=True)]
        finally:
            exchange.end()

    async def _fates(self, exchange: Exchange, ends_at: float) -> Sequence[Fate]:
        """Waits for the fates until `ends_at`. The publisher's wait is not cancelled: when it ends, the publisher
        replaces a producer that does not work.
        """
        waiting = asyncio.ensure_future(exchange.fates)
        self._waiting.add(waiting)
        waiting.add_done_callback(self._waiting.discard)
        await asyncio.wait([waiting], timeout=max(0.0, ends_at - asyncio.get_running_loop().time()))
        return waiting.result() if waiting.done() else [Fate.UNKNOWN for _ in exchange.replies]

    async def until_visible(self, accepted: Accepted, seconds: float) -> None:
        wait = f"waiting {seconds:g} s for {accepted.position}"
        raise Misuse(f"{wait} needs the read API: give read_url, or set DAYBOOK_READ_URL")


def _answer(fate: Fate, reply: bytes | None, not_published: Again) -> bytes | Again:
    if reply is not None:
        return reply
    match fate:
        case Fate.PUBLISHED:
            return NO_REPLY
        case Fate.UNKNOWN:
            return NOT_ACKNOWLEDGED
        case Fate.NOTHING_DONE:
            return not_published


def _checked(command: Command, trace: bytes | None) -> Request | Rejected:
    try:
        parsed = parse_command(command.to_json())
    except InvalidCommand as refusal:
        status = TOO_LARGE_STATUS if refusal.too_large else HTTP_STATUS[refusal.code]
        return Rejected(command, refusal.code, refusal.detail, status)
    return Request(parsed.id, parsed.key, normalised_bytes(parsed), trace)


def signer_of(principal: str, key: str | None) -> Signer:
    """Without a key, or with an empty one, records are not signed. Raises Misuse unless the principal is
    `service:<name>` or `user:<uuid>`.
    """
    try:
        return Signer(parse_publisher(principal.encode()), key.encode() if key else None)
    except InvalidPrincipal as error:
        raise Misuse(f"principal: {error}") from error
