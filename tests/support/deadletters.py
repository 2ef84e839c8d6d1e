"""Finds the dead letter of a record of the commands topic that was refused without an entry."""

import asyncio
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, TopicPartition

from daybook_infra.runtime.settings import Settings


@dataclass(frozen=True, slots=True)
class DeadLetter:
    key: bytes | None
    value: bytes | None
    headers: dict[str, bytes]

    @property
    def reason(self) -> str:
        return self.headers["daybook-reason"].decode()

    @property
    def origin(self) -> str:
        return self.headers["daybook-origin"].decode()


async def dead_letter(settings: Settings, partition: int, offset: int, seconds: float = 20) -> DeadLetter:
    """The dead letter of the command at this place. Raises TimeoutError if none comes."""
    places = [TopicPartition(settings.topic_prefix + "commands.dlq", at) for at in range(settings.partitions)]
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka_bootstrap, enable_auto_commit=False, auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        consumer.assign(places)
        async with asyncio.timeout(seconds):
            return await _first_from(consumer, f"{settings.topic_prefix}commands/{partition}/{offset}")
    finally:
        await consumer.stop()


async def _first_from(consumer: AIOKafkaConsumer, origin: str) -> DeadLetter:
    async for record in consumer:
        letter = DeadLetter(record.key, record.value, dict(record.headers))
        if letter.origin == origin:
            return letter
    raise AssertionError("a consumer's records never end")
