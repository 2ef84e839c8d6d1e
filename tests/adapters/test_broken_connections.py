"""Requests right after the client's connections to a real Kafka are reset, in the event loop that the services use."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import NoReturn

import pytest
import uvloop
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.conn import AIOKafkaConnection
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.admin import ApiVersionRequest

from daybook_client.kafka import clients
from daybook_client.kafka.connection import KafkaConnection
from daybook_contracts.topics import Topics
from daybook_infra.runtime.kafka.clients import producer
from daybook_infra.runtime.settings import Settings

# A consumer sends its next fetch a few turns of the event loop after records were taken, and aiokafka notices a reset
# only two turns later. So if connections are reset after 0, 1, 2, ... turns, some fetches are sent before aiokafka has
# noticed the reset.
TURNS = 10
ANSWER_SECONDS = 30.0


def in_uvloop(run: Callable[[], Coroutine[None, None, None]]) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())


def reset_connections(consumer: AIOKafkaConsumer) -> list[AIOKafkaConnection]:
    """Does what uvloop does if a read fails with ECONNRESET. Returns the connections."""
    found = list(consumer._client._conns.values())
    for connection in found:
        connection._writer.transport._force_close(ConnectionResetError())
    return found


@asynccontextmanager
async def running_consumer(settings: Settings) -> AsyncIterator[AIOKafkaConsumer]:
    consumer = await clients.start(clients.consumer(KafkaConnection(settings.kafka_bootstrap), "reset"))
    try:
        yield consumer
    finally:
        await clients.close_quietly(consumer)
        await consumer._client.close()  # if the consumer stopped fetching, its connections are still open


async def next_value(consumer: AIOKafkaConsumer, place: TopicPartition) -> bytes | None:
    async with asyncio.timeout(ANSWER_SECONDS):
        while not (records := (await consumer.getmany(timeout_ms=1000)).get(place)):
            pass
    return records[0].value


def test_a_request_after_a_reset_raises_a_kafka_error_and_the_client_connects_again(settings: Settings) -> None:
    async def send_after_reset() -> None:
        async with running_consumer(settings) as consumer:
            await consumer.topics()
            connection = reset_connections(consumer)[0]
            await asyncio.sleep(0)  # so that uvloop closes the transport
            with pytest.raises(KafkaConnectionError):
                await connection.send(ApiVersionRequest())
            assert await consumer.topics()

    in_uvloop(send_after_reset)


def test_a_consumer_continues_to_fetch_after_a_reset(settings: Settings) -> None:
    place = TopicPartition(Topics(settings.topic_prefix).results, 0)

    async def reset_after_each_record() -> None:
        async with producer(settings, "reset") as publisher, running_consumer(settings) as consumer:
            consumer.assign([place])
            for turns in range(TURNS):
                await publisher.send_and_wait(place.topic, b"%d" % turns, partition=place.partition)
                assert await next_value(consumer, place) == b"%d" % turns
                for _ in range(turns):
                    await asyncio.sleep(0)
                reset_connections(consumer)

    in_uvloop(reset_after_each_record)


def test_other_errors_of_a_request_are_not_replaced(settings: Settings) -> None:
    class Unwritable(ApiVersionRequest):
        def prepare(self, versions: object) -> NoReturn:
            raise RuntimeError("unwritable")

    async def send_unwritable() -> None:
        async with running_consumer(settings) as consumer:
            await consumer.topics()
            connection = next(iter(consumer._client._conns.values()))
            with pytest.raises(RuntimeError, match="unwritable"):
                await connection.send(Unwritable())
            assert connection.connected()

    in_uvloop(send_unwritable)
