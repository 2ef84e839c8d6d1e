"""Reads whole topics. Topics are named without their prefix."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from daybook_infra.runtime.kafka.clients import close_quietly, start
from daybook_infra.runtime.settings import Settings


@asynccontextmanager
async def reading(settings: Settings, name: str) -> AsyncIterator[AIOKafkaConsumer]:
    """Yields a consumer of all partitions that begins at their start."""
    bootstrap = settings.kafka_bootstrap
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset="earliest")
    await start(consumer)
    try:
        consumer.assign([TopicPartition(settings.topic_prefix + name, at) for at in range(settings.partitions)])
        yield consumer
    finally:
        await close_quietly(consumer)


async def records_of(settings: Settings, name: str) -> list[ConsumerRecord[bytes, bytes]]:
    """All records up to the topic's present end. The records of each partition are in order."""
    found: list[ConsumerRecord[bytes, bytes]] = []
    async with reading(settings, name) as consumer:
        for place, end in (await consumer.end_offsets(consumer.assignment())).items():
            while await consumer.position(place) < end:
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    found += records
    return found
