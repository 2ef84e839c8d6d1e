"""A foreign writer that reads a log to its end and appends at once, so that it may precede the shard's next append."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from daybook_infra.runtime.kafka.clients import close_quietly, start
from daybook_infra.runtime.settings import Settings
from support.chain import Chain

# How long to wait for new records. If none come, the head is up to date.
MOVES_WITHIN_MS = 500


@dataclass(frozen=True, slots=True)
class Pursuit:
    consumer: AIOKafkaConsumer
    producer: AIOKafkaProducer
    topic: str

    async def catch_up(self, chain: Chain) -> None:
        """Reads all records, then waits for new ones, because the records fetched before may be out of date."""
        while await self._take(chain, 0):
            pass
        await self._take(chain, MOVES_WITHIN_MS)

    async def _take(self, chain: Chain, timeout_ms: int) -> bool:
        found = await self.consumer.getmany(TopicPartition(self.topic, chain.partition), timeout_ms=timeout_ms)
        for records in found.values():
            for record in records:
                chain.take(record.offset, record.value)
        return bool(found)

    async def append(self, chain: Chain, value: bytes) -> None:
        await self.producer.send_and_wait(self.topic, value, key=b"foreign writer", partition=chain.partition)


@asynccontextmanager
async def pursuing(settings: Settings, chains: Sequence[Chain]) -> AsyncIterator[Pursuit]:
    """Opens a pursuit that starts at the ends of these chains. They must have been read from the topic's beginning."""
    topic = f"{settings.topic_prefix}audit_log"
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka_bootstrap, acks="all")
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.kafka_bootstrap, enable_auto_commit=False)
    async with AsyncExitStack() as closing:
        closing.push_async_callback(close_quietly, await start(producer))
        closing.push_async_callback(close_quietly, await start(consumer))
        consumer.assign([TopicPartition(topic, chain.partition) for chain in chains])
        for chain in chains:
            consumer.seek(TopicPartition(topic, chain.partition), len(chain.entries) + len(chain.voids))
        yield Pursuit(consumer, producer, topic)
