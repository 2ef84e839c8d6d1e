"""Reading stretches of the audit log for shards: a partition and offsets in, records out. It decides nothing."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from daybook_command.shard.messages import LogRecord
from daybook_infra.runtime.errors import KafkaAway
from daybook_infra.runtime.kafka import clients as kafka
from daybook_infra.runtime.kafka.lost_batch import offsets_of
from daybook_infra.runtime.settings import Settings

# No answer for so long means that the partition's leader is away; the caller tries again.
STALL_SECONDS = 10.0
POLL_MS = 200


@dataclass(frozen=True, slots=True)
class Stretch:
    """`start` and `end` are the log's own bounds when it was read."""

    records: Sequence[LogRecord]
    start: int
    end: int


class LogReader:
    """Consumers without a group. One makes the reads, one after another; another asks whether Kafka is there, so that
    a partition without a leader holds up nobody who reads elsewhere.
    """

    def __init__(self, settings: Settings, topic: str) -> None:
        self._topic = topic
        self._places = [TopicPartition(topic, partition) for partition in range(settings.partitions)]
        self._reading = _Consumer(settings, "daybook-command-log")
        self._asking = _Consumer(settings, "daybook-command-probe")
        self._turn, self._asked = asyncio.Lock(), asyncio.Lock()

    async def stop(self) -> None:
        await asyncio.gather(self._reading.stop(), self._asking.stop())

    async def ends(self) -> dict[int, int]:
        """Where each partition of the log ends. Raises KafkaAway unless every partition's leader says so."""
        async with self._asked:
            return await self._ends()

    async def _ends(self) -> dict[int, int]:
        try:
            consumer = await self._asking.started()
            async with asyncio.timeout(STALL_SECONDS):
                ends = await consumer.end_offsets(self._places)
        except (KafkaError, OSError, TimeoutError) as error:
            await self._asking.stop()
            raise KafkaAway(f"not every partition of the log can be asked where it ends: {error!r}") from error
        return {place.partition: end for place, end in ends.items()}

    async def read(self, partition: int, start: int, stop: int | None = None) -> Stretch:
        """Records in [start, stop), to the log's present end if `stop` is None. Raises KafkaAway."""
        async with self._turn:
            try:
                return await self._read(partition, start, stop)
            except (KafkaError, OSError, TimeoutError) as error:
                await self._reading.stop()
                raise KafkaAway(f"the log of partition {partition} cannot be read: {error!r}") from error

    async def _read(self, partition: int, start: int, stop: int | None) -> Stretch:
        consumer = await self._reading.started()
        place = TopicPartition(self._topic, partition)
        async with asyncio.timeout(STALL_SECONDS):
            first = (await consumer.beginning_offsets([place]))[place]
            end = (await consumer.end_offsets([place]))[place]
        stop = end if stop is None else stop
        if stop > end:
            raise KafkaAway(f"the log of partition {partition} ends at {end}, before {stop}")
        records: list[LogRecord] = []
        if max(start, first) < stop:
            consumer.assign([place])
            consumer.seek(place, max(start, first))
            await self._drain(consumer, place, stop, records)
            consumer.unsubscribe()
        return Stretch([record for record in records if record.offset < stop], first, end)

    async def _drain(
        self, consumer: AIOKafkaConsumer, place: TopicPartition, stop: int, records: list[LogRecord]
    ) -> None:
        """To `stop` by the consumer's position, not by records: some offsets hold none (a transaction's markers)."""
        stalled_at = asyncio.get_running_loop().time() + STALL_SECONDS
        position = await consumer.position(place)
        while position < stop:
            fetched = await consumer.getmany(place, timeout_ms=POLL_MS)
            records += [_log_record(record) for record in fetched.get(place, ())]
            reached = await consumer.position(place)
            now = asyncio.get_running_loop().time()
            if reached > position:
                position, stalled_at = reached, now + STALL_SECONDS
            elif now > stalled_at:
                raise KafkaAway(f"the log of partition {place.partition} stalled before offset {stop}")


def _log_record(record: ConsumerRecord[bytes, bytes]) -> LogRecord:
    return LogRecord(record.offset, record.value, offsets_of(record.value))


class _Consumer:
    """Connected when it is first needed, and thrown away when it can no longer be trusted. For one user at a time."""

    def __init__(self, settings: Settings, client_id: str) -> None:
        self._settings = settings
        self._client_id = client_id
        self._consumer: AIOKafkaConsumer | None = None

    async def started(self) -> AIOKafkaConsumer:
        """Raises aiokafka's KafkaError, OSError or TimeoutError where Kafka is away."""
        if self._consumer is None:
            consumer = kafka.consumer(self._settings, self._client_id, bulk=True)
            try:
                async with asyncio.timeout(STALL_SECONDS):
                    await consumer.start()
            except BaseException:  # a cancellation too: what has begun to connect must not be left alive
                await kafka.close_quietly(consumer)
                raise
            self._consumer = consumer
        return self._consumer

    async def stop(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await kafka.close_quietly(consumer)
