"""Reads ranges of the audit log for shards."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from daybook_client.kafka.replaceable import ReplaceableConsumer
from daybook_command.kafka.topic_ends import TopicEnds
from daybook_command.shard.records import LogRecord
from daybook_infra.runtime.errors import KafkaAway
from daybook_infra.runtime.kafka.lost_batch import offsets_of
from daybook_infra.runtime.kafka.options import connection_of
from daybook_infra.runtime.settings import Settings

# If the partition's leader does not answer for this time, it counts as away; the caller tries again.
STALL_SECONDS = 10.0
POLL_MS = 200


@dataclass(frozen=True, slots=True)
class LogRange:
    """The records of a range. `start` and `end`: the first and the end offset of the whole log when it was read."""

    records: Sequence[LogRecord]
    start: int
    end: int


class LogReader:
    """Has two consumers without a group. One reads ranges, one after another. The other asks for the log's ends, so
    that a partition without a leader does not delay reads of other partitions.
    """

    def __init__(self, settings: Settings, topic: str) -> None:
        self._topic = topic
        self._partitions = range(settings.partitions)
        self._reading = ReplaceableConsumer(connection_of(settings), "daybook-command-log", start_seconds=STALL_SECONDS)
        self._ends = TopicEnds(settings, topic, "daybook-command-probe")
        self._read_lock = asyncio.Lock()

    async def stop(self) -> None:
        await asyncio.gather(self._reading.stop(), self._ends.stop())

    async def read_ends(self) -> dict[int, int]:
        """The end offset of each partition of the log. Raises KafkaAway unless the leaders of all partitions answer."""
        return await self._ends.read(self._partitions)

    async def read(self, partition: int, start: int, stop: int | None = None) -> LogRange:
        """The records in [start, stop), or up to the log's present end if `stop` is None. Raises KafkaAway."""
        problem = f"the log of partition {partition} cannot be read"
        async with self._read_lock, self._reading.use(problem) as consumer:
            return await self._read(consumer, partition, start, stop)

    async def _read(self, consumer: AIOKafkaConsumer, partition: int, start: int, stop: int | None) -> LogRange:
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
            await self._read_until(consumer, place, stop, records)
            consumer.unsubscribe()
        return LogRange([record for record in records if record.offset < stop], first, end)

    async def _read_until(
        self, consumer: AIOKafkaConsumer, place: TopicPartition, stop: int, records: list[LogRecord]
    ) -> None:
        """Reads until the consumer's position reaches `stop`. Records do not tell this: some offsets have no record,
        such as those of a transaction's markers.
        """
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
