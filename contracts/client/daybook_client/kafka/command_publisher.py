"""Publishes records to the commands topic, and says for each whether it was published. `replies.py` reads replies."""

import asyncio
import logging
from collections.abc import Awaitable, Iterable, Sequence
from enum import StrEnum
from typing import NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)

from daybook_client.errors import KafkaAway
from daybook_client.kafka.connection import KafkaConnection
from daybook_client.kafka.outages import translated
from daybook_client.kafka.refusals import describe_error
from daybook_client.kafka.replaceable import ReplaceableProducer
from daybook_contracts.topics import Headers

START_SECONDS = 30.0
# How long `fault` reports a failure. Without this limit, an instance would stay unready for ever: while it is unready,
# it gets no commands, so no success could clear the fault.
FAULT_SECONDS = 10.0
# After this many records, other tasks get a turn. The producer takes 30 to 100 µs for each, so a turn takes a few
# milliseconds.
RECORDS_IN_A_TURN = 50
PROBLEM = "commands cannot be published to Kafka"
# After these answers of the broker, the record is certainly not in the topic.
_REFUSALS = (MessageSizeTooLargeError, RecordListTooLargeError, TopicAuthorizationFailedError)

Ack = asyncio.Future[object]

log = logging.getLogger(__name__)


class CommandToSend(NamedTuple):
    partition: int
    key: bytes
    value: bytes
    headers: Headers


class Fate(StrEnum):
    """What became of a record. NOTHING_DONE: it is certainly not in the topic."""

    PUBLISHED = "published"
    NOTHING_DONE = "nothing_done"
    UNKNOWN = "unknown"


class Receipt(NamedTuple):
    """`offset`: the record's, if it is PUBLISHED and the broker said where."""

    fate: Fate
    offset: int | None = None


class CommandPublisher:
    """`seconds` limits, for each call, the wait for a connection and then the wait for the acknowledgements."""

    def __init__(self, connection: KafkaConnection, topic: str, client_id: str, seconds: float) -> None:
        self._topic = topic
        self._seconds = seconds
        self._producers = ReplaceableProducer(connection, client_id)
        self._connection = connection
        self._failed_at: float | None = None
        self._reason = ""

    @property
    def fault(self) -> str | None:
        """Why the last call failed, for FAULT_SECONDS after it."""
        if self._failed_at is None or asyncio.get_running_loop().time() - self._failed_at > FAULT_SECONDS:
            return None
        return self._reason

    async def stop(self) -> None:
        await self._producers.stop()

    async def count_partitions(self) -> int:
        """How many partitions the commands topic has. Raises KafkaAway, also if the topic does not exist."""
        try:
            async with translated(self._connection, seconds=START_SECONDS, passing=(UnknownTopicOrPartitionError,)):
                producer = await self._producers.get()
                return len(await producer.partitions_for(self._topic))
        except UnknownTopicOrPartitionError as error:
            raise self._connection.away(f"topic {self._topic} does not exist: run `daybook init`") from error

    async def hand_over(self, records: Iterable[CommandToSend], count: int) -> Awaitable[list[Receipt]]:
        """Gives the `count` records to the producer, in order. Await the returned object to get their receipts. If each
        call is awaited before the next one, records of one partition also keep the order of the calls.
        """
        try:
            async with translated(self._connection, PROBLEM, seconds=self._seconds):
                producer = await self._producers.get()
        except KafkaAway as away:
            self._note_failure(str(away))
            log.warning("commands_not_published", extra={"reason": str(away)})
            return _nothing_done(count)
        deadline = asyncio.get_running_loop().time() + self._seconds
        acks: list[Ack] = []
        try:
            async with translated(self._connection, PROBLEM, seconds=self._seconds):
                for number, each in enumerate(records):
                    if number % RECORDS_IN_A_TURN == RECORDS_IN_A_TURN - 1:
                        await asyncio.sleep(0)  # `send` never yields to other tasks while its buffer has room
                    acks.append(await self._send(producer, each))  # one by one: earlier acks must survive an exception
        except KafkaAway as away:
            log.warning("commands_not_published", extra={"reason": str(away)})
        return self._await_fates(producer, acks, count, deadline)

    async def _send(self, producer: AIOKafkaProducer, each: CommandToSend) -> Ack:
        ack: Ack = await producer.send(
            self._topic, each.value, key=each.key, partition=each.partition, headers=each.headers
        )
        return ack

    async def _await_fates(
        self, producer: AIOKafkaProducer, acks: Sequence[Ack], count: int, deadline: float
    ) -> list[Receipt]:
        """The producer took the first `len(acks)` of `count` records; nothing was done about the others."""
        await _wait_for_all(acks, deadline)
        fates = [_fate_of(ack) for ack in acks]
        if fates == [Fate.PUBLISHED] * count:
            self._failed_at = None
        else:
            error = next(filter(None, map(_error_of, acks)), TimeoutError("not acknowledged in time"))
            self._note_failure(f"{PROBLEM}: {describe_error(self._connection, error)}")
            unknown, unsent = fates.count(Fate.UNKNOWN), count - len(acks)
            log.warning("producer_discarded", extra={"reason": self._reason, "unknown": unknown, "unsent": unsent})
            self._producers.discard(producer)
        receipts = [Receipt(fate, _offset_of(ack)) for fate, ack in zip(fates, acks, strict=True)]
        return receipts + [Receipt(Fate.NOTHING_DONE)] * (count - len(acks))

    def _note_failure(self, reason: str) -> None:
        self._failed_at = asyncio.get_running_loop().time()
        self._reason = reason


async def _nothing_done(count: int) -> list[Receipt]:
    return [Receipt(Fate.NOTHING_DONE)] * count


def _offset_of(ack: Ack) -> int | None:
    """None if the broker did not say: to a retry of a record that it already has, it may answer with the offset -1."""
    if not ack.done() or ack.cancelled() or ack.exception() is not None:
        return None
    offset: int = getattr(ack.result(), "offset", -1)
    return offset if offset >= 0 else None


async def _wait_for_all(acks: Sequence[Ack], deadline: float) -> None:
    """Waits for one after another. Kafka acknowledges whole batches, so most are done when their turn comes. Waiting
    for all at once would take a callback for each.
    """
    for ack in acks:
        if not ack.done():
            await asyncio.wait([ack], timeout=max(0.0, deadline - asyncio.get_running_loop().time()))


def _error_of(ack: Ack) -> BaseException | None:
    return ack.exception() if ack.done() and not ack.cancelled() else None


def _fate_of(ack: Ack) -> Fate:
    if not ack.done():
        ack.cancel()  # asyncio logs every error that nobody retrieves
        return Fate.UNKNOWN
    error = ack.exception()
    if error is None:
        return Fate.PUBLISHED
    return Fate.NOTHING_DONE if isinstance(error, _REFUSALS) else Fate.UNKNOWN
