"""Stands in for the services: reads commands from Kafka, and publishes a test's answers on the results topic."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord

from daybook_contracts.results import Result, encode_record
from daybook_contracts.topics import CORRELATION_ID, REPLY_PARTITION, Topics
from daybook_infra.runtime.kafka.clients import consumer, producer
from daybook_infra.runtime.settings import Settings

Records = list[ConsumerRecord[bytes, bytes]]
Answer = Callable[[ConsumerRecord[bytes, bytes]], Awaitable[Result | None]]


@asynccontextmanager
async def answering(settings: Settings, answer: Answer) -> AsyncIterator[Records]:
    """Answers each command, unless `answer` returns None for it. Commands of a partition that are read in one poll are
    answered newest first. Yields the records read.
    """
    received: Records = []
    reader = consumer(settings, "test", Topics(settings.topic_prefix).commands, reset="latest")
    writer = producer(settings, "test")
    await reader.start()
    await writer.start()
    await asyncio.gather(*(reader.position(place) for place in reader.assignment()))
    async with asyncio.TaskGroup() as group:
        answerer = group.create_task(_answer(settings, reader, writer, answer, received))
        yield received
        answerer.cancel()
    await reader.stop()
    await writer.stop()


async def _answer(
    settings: Settings, reader: AIOKafkaConsumer, writer: AIOKafkaProducer, answer: Answer, received: Records
) -> None:
    topic = Topics(settings.topic_prefix).results
    while True:
        for records in (await reader.getmany(timeout_ms=100)).values():
            received.extend(records)
            for record in reversed(records):
                headers = dict(record.headers)
                if (result := await answer(record)) is not None:
                    reply, place = [(CORRELATION_ID, headers[CORRELATION_ID])], int(headers[REPLY_PARTITION])
                    await writer.send(topic, encode_record(result), partition=place, headers=reply)
