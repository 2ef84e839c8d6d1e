"""Sends commands over Kafka and receives their replies."""

import itertools
import secrets
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

from daybook_client.kafka.awaited_replies import AwaitedReplies
from daybook_client.kafka.command_publisher import CommandPublisher, CommandToSend, Fate, Receipt
from daybook_client.kafka.connection import KafkaConnection
from daybook_client.kafka.replies import Replies
from daybook_contracts.routing import partition_of
from daybook_contracts.senders.signer import Signer
from daybook_contracts.topics import COMMAND_EVENT, Topics, event_headers


class Request(NamedTuple):
    """A command to publish. `value` is published unchanged; `command_id` and `key` are in lower case."""

    command_id: str
    key: str
    value: bytes
    traceparent: bytes | None = None


class Exchange:
    """The `fates` and `replies` of several requests, in the order of the requests. A missing reply is None."""

    fates: Awaitable[list[Fate]]

    def __init__(self, registry: Replies, correlation_ids: Sequence[str]) -> None:
        self._awaited = AwaitedReplies(registry, correlation_ids)
        self.replies = self._awaited.values

    async def wait(self, fates: Sequence[Fate], seconds: float) -> None:
        """Returns when each published request has its reply, or after `seconds`."""
        await self._awaited.wait([place for place, fate in enumerate(fates) if fate is Fate.PUBLISHED], seconds)

    def end(self) -> None:
        """Call it when you no longer wait for replies."""
        self._awaited.end()


@dataclass(frozen=True, slots=True)
class Requests:
    """Publishes commands, each with headers that name its sender and direct its reply to this process."""

    signer: Signer
    partitions: int
    _publisher: CommandPublisher
    _replies: Replies
    # Makes correlation ids unique, because other processes may read the same partition of the results topic.
    _process: str = field(default_factory=lambda: secrets.token_hex(8))
    _numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    @property
    def fault(self) -> str | None:
        """Why commands could not be published lately."""
        return self._publisher.fault

    async def publish(self, requests: Sequence[Request]) -> Exchange:
        """Gives the commands to the producer, in order. If each call is awaited before the next one, commands with the
        same key are decided in the order of the calls.
        """
        correlation_ids = [f"{self._process}-{next(self._numbers)}" for _ in requests]
        exchange = Exchange(self._replies, correlation_ids)
        # Made one by one: thousands of small objects at once are work for the garbage collector.
        records = map(self._record, requests, correlation_ids)
        try:
            exchange.fates = _fates(await self._publisher.hand_over(records, len(requests)))
        except BaseException:  # also if a deadline cancels this: nothing else would call `end`
            exchange.end()
            raise
        return exchange

    def _record(self, request: Request, correlation_id: str) -> CommandToSend:
        headers = event_headers(COMMAND_EVENT, request.command_id, request.key, request.traceparent)
        headers += self.signer.headers(request.value)
        headers += self._replies.headers(correlation_id)
        partition = partition_of(request.key, self.partitions)
        return CommandToSend(partition, request.key.encode(), request.value, headers)


async def _fates(receipts: Awaitable[list[Receipt]]) -> list[Fate]:
    return [receipt.fate for receipt in await receipts]


@asynccontextmanager
async def requesting(
    connection: KafkaConnection, topic_prefix: str, client_id: str, signer: Signer, seconds: float
) -> AsyncIterator[Requests]:
    """Connects and starts to read replies. Raises `connection.away` if Kafka cannot be reached. `seconds` limits, for
    each call, the wait for a connection and then the wait for the acknowledgements.
    """
    topics = Topics(topic_prefix)
    publisher = CommandPublisher(connection, topics.commands, client_id, seconds)
    try:
        # The number of partitions is read from Kafka, so senders need not know DAYBOOK_PARTITIONS.
        partitions = await publisher.count_partitions()
        replies = Replies(connection, topics.results, client_id, partitions=partitions)
        await replies.start()
        try:
            yield Requests(signer, partitions, publisher, replies)
        finally:
            await replies.stop()
    finally:
        await publisher.stop()
