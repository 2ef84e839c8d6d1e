"""Publishes commands over Kafka and waits for their results: addressed commands in, one outcome each out.
What a command says, and who printed or made it, is not known here.
"""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from uuid import uuid4

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from daybook_contracts.codes import Code
from daybook_contracts.results import Accepted, Pending, Result, decode_result, problem
from daybook_contracts.routing import partition_of
from daybook_contracts.senders.principals import Principal, sign
from daybook_contracts.topics import (
    COMMAND_EVENT,
    CORRELATION_ID,
    PRINCIPAL,
    REPLY_PARTITION,
    SIGNATURE,
    Topics,
    event_headers,
)
from daybook_infra.operations.addressing import AddressedCommand
from daybook_infra.runtime.kafka.clients import close_quietly, consumer, producer
from daybook_infra.runtime.kafka.outages import translated
from daybook_infra.runtime.settings import Settings

CLIENT = "daybook-send"

Outcome = Result | Pending
Delivery = asyncio.Future[object]


@dataclass(slots=True)
class Publisher:
    """One reply partition, chosen at the start; replies are told apart by their correlation id.
    `key` is None where records are not signed.
    """

    topics: Topics
    principal: Principal
    key: bytes | None
    seconds: float
    producer: AIOKafkaProducer
    partitions: int
    reply_partition: int
    _waiting: dict[bytes, asyncio.Future[Result]]

    async def publish(self, command: AddressedCommand) -> asyncio.Task[Outcome]:
        """Sends in the order of the calls; the task ends with the outcome, at the latest after twice `seconds`."""
        correlation = uuid4().hex.encode()
        reply = asyncio.get_running_loop().create_future()
        self._waiting[correlation] = reply
        delivery: Delivery | None = None
        try:
            delivery = await self._send(command, correlation)
            delivery.add_done_callback(lambda sent: _fail(reply, sent))
        except (TimeoutError, KafkaError) as error:
            reply.set_exception(error)
        outcome = asyncio.create_task(self._outcome(command, delivery, reply))
        outcome.add_done_callback(lambda _: self._waiting.pop(correlation, None))
        return outcome

    def resolve(self, correlation: bytes, value: bytes) -> None:
        reply = self._waiting.get(correlation)
        if reply is not None and not reply.done():
            reply.set_result(decode_result(value))

    async def _send(self, command: AddressedCommand, correlation: bytes) -> Delivery:
        principal = str(self.principal).encode()
        signed = [] if self.key is None else [(SIGNATURE, sign(self.key, principal, b"", command.raw))]
        async with asyncio.timeout(self.seconds):
            delivery: Delivery = await self.producer.send(
                self.topics.commands,
                value=command.raw,
                key=command.key.encode(),
                partition=partition_of(command.key, self.partitions),
                headers=[
                    *event_headers(COMMAND_EVENT, command.command_id, command.key),
                    (PRINCIPAL, principal),
                    *signed,
                    (REPLY_PARTITION, str(self.reply_partition).encode()),
                    (CORRELATION_ID, correlation),
                ],
            )
        return delivery

    async def _outcome(
        self, command: AddressedCommand, delivery: Delivery | None, reply: asyncio.Future[Result]
    ) -> Outcome:
        try:
            async with asyncio.timeout(self.seconds):
                return await reply
        except (TimeoutError, KafkaError):
            if delivery is not None and delivery.done() and delivery.exception() is None:
                return Pending(command.command_id, command.location)
            detail = "not acknowledged by Kafka, so the outcome is unknown: send it again with the same id"
            return problem(Code.UNAVAILABLE, detail, command_id=command.command_id)


def is_known(outcome: Outcome) -> bool:
    """False where the command may or may not have been, or yet be, decided."""
    return not isinstance(outcome, Pending) and (isinstance(outcome, Accepted) or outcome.code != Code.UNAVAILABLE)


@asynccontextmanager
async def publishing(
    settings: Settings, principal: Principal, seconds: float, key: bytes | None = None
) -> AsyncIterator[Publisher]:
    """A publisher that listens for its results; `KafkaAway` where there is no Kafka. `seconds`: each command's wait.
    With a `key` its records are signed.
    """
    topics = Topics(settings.topic_prefix)
    sender, listener = producer(settings, CLIENT), consumer(settings, CLIENT, reset="latest")
    try:
        async with translated(settings):
            await sender.start()
            await listener.start()
            partitions = len(await sender.partitions_for(topics.commands))
            reply_partition = await _listen_from_now(listener, topics, partitions)
        publisher = Publisher(topics, principal, key, seconds, sender, partitions, reply_partition, {})
        listening = asyncio.create_task(_listen(listener, publisher))
        try:
            yield publisher
        finally:
            listening.cancel()
            with suppress(asyncio.CancelledError):
                await listening
    finally:
        await close_quietly(listener)
        await close_quietly(sender)


async def _listen_from_now(listener: AIOKafkaConsumer, topics: Topics, partitions: int) -> int:
    """The replies' partition. It is read from its present end: a reply to what is sent later comes after it."""
    place = TopicPartition(topics.results, random.randrange(partitions))  # noqa: S311 - spreads load, hides nothing
    listener.assign([place])
    await listener.seek_to_end(place)
    await listener.position(place)
    return place.partition


async def _listen(listener: AIOKafkaConsumer, publisher: Publisher) -> None:
    while True:
        for records in (await listener.getmany(timeout_ms=500)).values():
            for record in records:
                publisher.resolve(dict(record.headers).get(CORRELATION_ID, b""), record.value or b"")


def _fail(reply: asyncio.Future[Result], sent: Delivery) -> None:
    error = None if sent.cancelled() else sent.exception()
    if error is not None and not reply.done():
        reply.set_exception(error)
