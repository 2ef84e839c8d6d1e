"""Asks Kafka where the partitions of a topic end."""

import asyncio
from collections.abc import Collection

from aiokafka import TopicPartition

from daybook_client.kafka.replaceable import ReplaceableConsumer
from daybook_infra.runtime.kafka.options import connection_of
from daybook_infra.runtime.settings import Settings

# If a leader does not answer for this time, it counts as away; the caller tries again.
ASK_SECONDS = 10.0


class TopicEnds:
    """Has a consumer of its own, which is replaced if it fails: after an unanswered request, aiokafka would use the
    same connection again, even if that is dead.
    """

    def __init__(self, settings: Settings, topic: str, client_id: str) -> None:
        self._topic = topic
        self._asking = ReplaceableConsumer(connection_of(settings), client_id, start_seconds=ASK_SECONDS)
        self._lock = asyncio.Lock()

    async def stop(self) -> None:
        await self._asking.stop()

    async def read(self, partitions: Collection[int]) -> dict[int, int]:
        """The offset that the next record of each partition will get. Raises KafkaAway unless all leaders answer."""
        places = [TopicPartition(self._topic, partition) for partition in partitions]
        problem = f"Kafka does not say where {self._topic} ends"
        async with self._lock, self._asking.use(problem) as consumer, asyncio.timeout(ASK_SECONDS):
            ends = await consumer.end_offsets(places)
        return {place.partition: end for place, end in ends.items()}
