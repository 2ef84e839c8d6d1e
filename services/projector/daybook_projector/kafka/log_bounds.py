"""Asks Kafka, with a deadline, where the partitions of the audit log begin and end."""

from collections.abc import Container, Iterable

from aiokafka import AIOKafkaConsumer, TopicPartition

from daybook_contracts.topics import Topics
from daybook_infra.runtime.errors import KafkaAway
from daybook_infra.runtime.kafka.outages import translated
from daybook_infra.runtime.settings import Settings

ANSWER_SECONDS = 10.0


class LogBounds:
    """Every method raises `KafkaAway`."""

    def __init__(self, settings: Settings, consumer: AIOKafkaConsumer) -> None:
        self._settings = settings
        self._consumer = consumer
        self._topic = Topics(settings.topic_prefix).audit_log

    async def require_topic(self) -> None:
        async with translated(
            self._settings, f"Kafka does not say whether {self._topic} exists", seconds=ANSWER_SECONDS
        ):
            topics = await self._consumer.topics()
        if self._topic not in topics:
            raise KafkaAway(f"topic {self._topic} does not exist, or an ACL (Describe) is missing")

    async def read_bounds(self, partition: int) -> tuple[int, int]:
        """The first offset, and the offset after the last record."""
        source = TopicPartition(self._topic, partition)
        problem = f"Kafka does not say where {self._topic} begins"
        async with translated(self._settings, problem, seconds=ANSWER_SECONDS):
            starts = await self._consumer.beginning_offsets([source])
        return starts[source], await self.read_end(partition)

    async def read_end(self, partition: int) -> int:
        return (await self.read_ends([partition]))[partition]

    async def require_other_leaders(self, own: Container[int]) -> None:
        """Checks that the leaders of all partitions except `own` answer."""
        await self.read_ends(partition for partition in range(self._settings.partitions) if partition not in own)

    async def read_ends(self, partitions: Iterable[int]) -> dict[int, int]:
        """The offsets after the last records."""
        sources = [TopicPartition(self._topic, partition) for partition in partitions]
        problem = f"Kafka does not say where {self._topic} ends"
        async with translated(self._settings, problem, seconds=ANSWER_SECONDS):
            found = await self._consumer.end_offsets(sources) if sources else {}
        return {source.partition: offset for source, offset in found.items()}
