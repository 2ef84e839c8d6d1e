"""Asks Kafka where the partitions of a topic begin and end."""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, TopicPartition

from daybook_client.kafka import clients as kafka
from daybook_client.kafka.outages import OUTAGES, translated
from daybook_infra.runtime.kafka.options import connection_of
from daybook_infra.runtime.settings import Settings

# If a leader does not answer for this time, it counts as away; the caller tries again.
ASK_SECONDS = 10.0


class _Asking:
    """A started consumer, and the number of calls that use it. Once it is `replaced`, its last call closes it."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self.consumer = consumer
        self.calls = 0
        self.replaced = False


class TopicBounds:
    """Calls share a consumer and do not wait for one another, so a partition without a leader delays only the calls
    that ask for it. After a call that failed, later ones get a new consumer: after an unanswered request, aiokafka
    would use the same connection again, even if that is dead.
    """

    def __init__(self, settings: Settings, topic: str, client_id: str) -> None:
        self._topic = topic
        self._connection = connection_of(settings)
        self._client_id = client_id
        self._asking: _Asking | None = None
        self._starting = asyncio.Lock()

    async def stop(self) -> None:
        """Call it when no call is in progress."""
        if self._asking is not None:
            await kafka.close_quietly(self._asking.consumer)

    async def ends(self, partitions: Collection[int]) -> dict[int, int]:
        """The offset that the next record of each partition will get. Raises KafkaAway unless all leaders answer."""
        places = [TopicPartition(self._topic, partition) for partition in partitions]
        async with self._consumer(f"Kafka does not say where {self._topic} ends") as consumer:
            ends = await consumer.end_offsets(places)
        return {place.partition: end for place, end in ends.items()}

    async def bounds(self, partition: int) -> tuple[int, int]:
        """The first offset, and the offset that the next record will get. Raises KafkaAway."""
        place = TopicPartition(self._topic, partition)
        problem = f"Kafka does not say where partition {partition} of {self._topic} begins and ends"
        async with self._consumer(problem) as consumer:
            first = await consumer.beginning_offsets([place])
            return first[place], (await consumer.end_offsets([place]))[place]

    @asynccontextmanager
    async def _consumer(self, problem: str) -> AsyncIterator[AIOKafkaConsumer]:
        async with translated(self._connection, problem):
            asking = await self._started()
            asking.calls += 1
            try:
                async with asyncio.timeout(ASK_SECONDS):
                    yield asking.consumer
            except OUTAGES:
                self._replace(asking)
                raise
            finally:
                asking.calls -= 1
                if asking.replaced and not asking.calls:
                    await kafka.close_quietly(asking.consumer)

    async def _started(self) -> _Asking:
        async with self._starting:
            if self._asking is None:
                async with asyncio.timeout(ASK_SECONDS):
                    consumer = kafka.consumer(self._connection, self._client_id, bulk=True, reset="none")
                    self._asking = _Asking(await kafka.start(consumer))
            return self._asking

    def _replace(self, asking: _Asking) -> None:
        asking.replaced = True
        if self._asking is asking:
            self._asking = None
