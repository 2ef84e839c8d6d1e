"""How the HTTP API publishes commands and reads replies, on a real Kafka."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeAlias

import pytest
from aiokafka import AIOKafkaProducer, ConsumerRecord, TopicPartition

from daybook_client.kafka.awaited_replies import AwaitedReplies
from daybook_client.kafka.command_publisher import CommandPublisher, CommandToSend, Fate, Receipt
from daybook_client.kafka.replies import Replies
from daybook_contracts.topics import Topics
from daybook_infra.runtime.errors import KafkaAway
from daybook_infra.runtime.kafka import clients as kafka
from daybook_infra.runtime.kafka.options import connection_of
from daybook_infra.runtime.kafka.topics import ensure_topics
from daybook_infra.runtime.settings import Settings
from suites.door import Broker, PublisherContract, published
from support.stack import FreshSettings

NO_SERVER = "127.0.0.1:1"
SETTINGS = {"partitions": 3}
Record: TypeAlias = "ConsumerRecord[bytes, bytes]"


def to_send(value: bytes, partition: int = 1) -> CommandToSend:
    return CommandToSend(partition, b"key", value, [("daybook-door", b"http")])


@asynccontextmanager
async def publishing(settings: Settings, seconds: float = 5.0) -> AsyncIterator[CommandPublisher]:
    publisher = CommandPublisher(connection_of(settings), Topics(settings.topic_prefix).commands, "test", seconds)
    try:
        yield publisher
    finally:
        await publisher.stop()


def replies_on(settings: Settings, topic: str) -> Replies:
    return Replies(connection_of(settings), topic, "test", partitions=settings.partitions)


@asynccontextmanager
async def replying(settings: Settings) -> AsyncIterator[Replies]:
    replies = Replies(
        connection_of(settings), Topics(settings.topic_prefix).results, "test", partitions=settings.partitions
    )
    await replies.start()
    try:
        yield replies
    finally:
        await replies.stop()


@asynccontextmanager
async def shard(settings: Settings) -> AsyncIterator[Callable[[int, str, bytes], Awaitable[None]]]:
    """Yields a function that publishes results as a shard does."""
    producer: AIOKafkaProducer = kafka.producer(settings, "test-shard")
    await producer.start()

    async def reply(partition: int, correlation_id: str, value: bytes) -> None:
        topic = Topics(settings.topic_prefix).results
        headers = [("correlation-id", correlation_id.encode())]
        await producer.send_and_wait(topic, value, partition=partition, headers=headers)

    try:
        yield reply
    finally:
        await producer.stop()


async def read(settings: Settings, partition: int, count: int) -> list[Record]:
    consumer = kafka.consumer(settings, "test-reader")
    await consumer.start()
    place = TopicPartition(Topics(settings.topic_prefix).commands, partition)
    consumer.assign([place])
    consumer.seek(place, 0)
    try:
        async with asyncio.timeout(10):
            return [await consumer.getone() for _ in range(count)]
    finally:
        await consumer.stop()


async def delete_commands(settings: Settings) -> None:
    """Deletes the commands topic, so that a producer can only retry."""
    async with kafka.admin(settings) as client:
        await client.delete_topics([Topics(settings.topic_prefix).commands])


async def publish_until(publisher: CommandPublisher, fate: Fate) -> None:
    """Publishes two records, again and again until both have this fate: brokers apply a change only after a moment."""
    async with asyncio.timeout(20):
        while await published(publisher, [to_send(b"1"), to_send(b"2")]) != [fate] * 2:
            pass


class RealBroker(Broker):
    def __init__(self, publisher: CommandPublisher, away: CommandPublisher, settings: Settings) -> None:
        self.publisher, self._away, self._settings = publisher, away, settings

    async def taken(self, partition: int, count: int) -> list[CommandToSend]:
        records = await read(self._settings, partition, count)
        return [CommandToSend(partition, each.key or b"", each.value or b"", [*each.headers]) for each in records]

    async def go_away(self) -> None:
        self.publisher = self._away


class TestCommandPublisher(PublisherContract):
    @pytest.fixture
    async def broker(self, settings: Settings) -> AsyncIterator[Broker]:
        nowhere = settings.model_copy(update={"kafka_bootstrap": NO_SERVER})
        async with publishing(settings) as publisher, publishing(nowhere) as away:
            yield RealBroker(publisher, away, settings)


async def test_a_record_that_the_broker_refuses_does_not_affect_others(settings: Settings) -> None:
    async with publishing(settings) as publisher:
        assert await published(publisher, [to_send(os.urandom(4_500_000))]) == [Fate.NOTHING_DONE]
        assert await published(publisher, [to_send(b"y" * 6_000_000)]) == [Fate.NOTHING_DONE]
        assert await published(publisher, [to_send(b"small")]) == [Fate.PUBLISHED]
    (record,) = await read(settings, 1, 1)
    assert record.value == b"small"


async def test_without_an_acknowledgement_the_fate_is_unknown_until_kafka_recovers(settings: Settings) -> None:
    async with publishing(settings, seconds=1) as publisher:
        # Only a producer that knows the topic keeps sending to it.
        await publish_until(publisher, Fate.PUBLISHED)
        await delete_commands(settings)
        await publish_until(publisher, Fate.UNKNOWN)
        await ensure_topics(settings)
        await publish_until(publisher, Fate.PUBLISHED)


async def test_concurrent_requests_publish_each_record_once(settings: Settings) -> None:
    async with publishing(settings) as publisher:
        calls = await asyncio.gather(*(publisher.hand_over([to_send(b"%d" % number)], 1) for number in range(200)))
        receipts = [receipt for call in calls for receipt in await call]
    assert sorted(receipts, key=lambda each: each.offset or 0) == [Receipt(Fate.PUBLISHED, n) for n in range(200)]
    assert len({record.value for record in await read(settings, 1, 200)}) == 200


async def test_a_reply_reaches_the_request_that_expects_it(settings: Settings) -> None:
    async with replying(settings) as replies, shard(settings) as reply:
        awaited = AwaitedReplies(replies, ["mine", "other"])
        await reply(replies.partition, "unknown", b"0")
        await reply(replies.partition, "mine", b"1")
        await awaited.wait([0], 10)
        assert awaited.values == [b"1", None]


async def test_replies_from_before_the_consumer_started_are_not_read(settings: Settings) -> None:
    async with shard(settings) as reply:
        for partition in range(settings.partitions):
            await reply(partition, "mine", b"before")
        async with replying(settings) as replies:
            await reply(replies.partition, "mine", b"not expected yet")
            awaited = AwaitedReplies(replies, ["mine"])
            await reply(replies.partition, "mine", b"after")
            await awaited.wait([0], 10)
            assert awaited.values[0] in {b"not expected yet", b"after"}


async def test_only_the_first_reply_counts_and_a_request_that_ended_gets_no_reply(settings: Settings) -> None:
    replies = replies_on(settings, "results")
    awaited = AwaitedReplies(replies, ["mine"])
    assert replies.resolve("mine", b"1")
    assert replies.resolve("mine", b"2")
    awaited.end()
    assert not replies.resolve("mine", b"3")
    assert awaited.values == [b"1"]


async def test_replies_have_a_fault_unless_they_are_running(settings: Settings) -> None:
    replies = Replies(
        connection_of(settings), Topics(settings.topic_prefix).results, "test", partitions=settings.partitions
    )
    faults = [replies.fault]
    await replies.start()
    faults.append(replies.fault)
    await replies.stop()
    faults.append(replies.fault)
    assert [fault is None for fault in faults] == [False, True, False]


async def test_replies_do_not_start_without_kafka(fresh_settings: FreshSettings) -> None:
    settings = fresh_settings(init=False).model_copy(update={"kafka_bootstrap": NO_SERVER})
    with pytest.raises(KafkaAway):
        await replies_on(settings, "results").start()
