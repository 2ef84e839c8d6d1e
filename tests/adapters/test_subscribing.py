"""Subscribing to the commands topic works with any server that answers. A failed attempt leaves no consumer behind that
could join the group later.
"""

import asyncio
from collections.abc import Iterable, Sequence
from random import Random

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import ConsumerStoppedError

from chaos.proxy import LOOPBACK, Proxy
from daybook_command.kafka.command_subscriber import CommandSubscriber
from daybook_command.kafka.waiting_consumer import WaitingConsumer
from daybook_command.shard.records import CommandRecord
from daybook_contracts.topics import Topics
from daybook_infra.runtime.errors import KafkaAway
from daybook_infra.runtime.kafka.clients import producer
from daybook_infra.runtime.kafka.options import connection_options
from support.processes import free_port
from support.stack import FreshSettings


class NoShards:
    """Fails the test if it is assigned a partition."""

    def assign(self, partitions: Iterable[int]) -> None:
        raise AssertionError(partitions)

    async def revoke(self, partitions: Iterable[int]) -> None:
        raise AssertionError(partitions)

    def hand_over(self, partition: int, records: Sequence[CommandRecord]) -> None:
        raise AssertionError(partition)


async def test_a_failed_attempt_closes_its_consumer(fresh_settings: FreshSettings) -> None:
    settings = fresh_settings(init=False)
    proxy = Proxy(Random(1), target=int(settings.kafka_bootstrap.rpartition(":")[2]))
    await proxy.start()
    moved = settings.model_copy(update={"kafka_bootstrap": f"{LOOPBACK}:{proxy.port}"})
    subscriber = CommandSubscriber(moved, Topics(settings.topic_prefix))
    await proxy.stop()
    for _ in range(2):
        with pytest.raises(KafkaAway):
            await subscriber.start(NoShards())
        consumer = subscriber._subscriber.consumer
        assert consumer is not None
        assert consumer._closed
    await subscriber.stop()


class Owner(NoShards):
    def __init__(self) -> None:
        self.owns = asyncio.Event()

    def assign(self, partitions: Iterable[int]) -> None:
        self.owns.set()

    async def revoke(self, partitions: Iterable[int]) -> None:
        self.owns.clear()


async def test_one_of_several_servers_is_enough(fresh_settings: FreshSettings) -> None:
    settings = fresh_settings(partitions=1)
    servers = f"{LOOPBACK}:{free_port()}, {settings.kafka_bootstrap}"
    subscriber = CommandSubscriber(
        settings.model_copy(update={"kafka_bootstrap": servers}), Topics(settings.topic_prefix)
    )
    owner = Owner()
    await subscriber.start(owner)
    await asyncio.wait_for(owner.owns.wait(), 60)
    await subscriber.stop()


async def test_a_poll_waits_for_records_until_the_consumer_stops(fresh_settings: FreshSettings) -> None:
    settings = fresh_settings(partitions=1)
    place = TopicPartition(Topics(settings.topic_prefix).commands, 0)
    consumer = WaitingConsumer(**connection_options(settings, "test"), auto_offset_reset="earliest")  # type: ignore[no-untyped-call]  # aiokafka's
    async with consumer, producer(settings, "test") as publisher:
        consumer.assign([place])  # type: ignore[no-untyped-call]  # aiokafka's
        poll = asyncio.create_task(consumer.getmany())
        await publisher.send_and_wait(place.topic, b"a command", partition=0)
        assert [record.value for record in (await poll)[place]] == [b"a command"]
        poll = asyncio.create_task(consumer.getmany())
        await asyncio.sleep(0)  # lets the poll begin
    with pytest.raises(ConsumerStoppedError):
        await poll
