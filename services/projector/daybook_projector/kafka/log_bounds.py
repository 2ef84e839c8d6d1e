"""Where the partitions of the audit log begin and end, asked of Kafka with a deadline."""

import asyncio
from collections.abc import Iterable

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from daybook_infra.runtime.errors import KafkaAway

ANSWER_SECONDS = 10.0


class LogBounds:
    def __init__(self, consumer: AIOKafkaConsumer, topic: str) -> None:
        self._consumer = consumer
        self._topic = topic

    async def of(self, partition: int) -> tuple[int, int]:
        """Offsets of the first record and behind the last one. Raises `KafkaAway`."""
        source = TopicPartition(self._topic, partition)
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                starts = await self._consumer.beginning_offsets([source])
        except (KafkaError, TimeoutError) as error:
            raise KafkaAway(f"Kafka does not say where {self._topic} begins: {error!r}") from error
        return starts[source], await self.end(partition)

    async def end(self, partition: int) -> int:
        """Raises `KafkaAway`."""
        return (await self.ends([partition]))[partition]

    async def ends(self, partitions: Iterable[int]) -> dict[int, int]:
        """Offsets behind the last records. Raises `KafkaAway`."""
        sources = [TopicPartition(self._topic, partition) for partition in partitions]
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                found = await self._consumer.end_offsets(sources) if sources else {}
        except (KafkaError, TimeoutError) as error:
            raise KafkaAway(f"Kafka does not say where {self._topic} ends: {error!r}") from error
        return {source.partition: offset for source, offset in found.items()}
