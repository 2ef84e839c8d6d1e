"""Reads the audit log for shards: in slices, or a whole range."""

import asyncio

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from daybook_client.kafka.replaceable import ReplaceableConsumer
from daybook_command.kafka.topic_bounds import TopicBounds
from daybook_command.shard.events import GapRead, LogRead
from daybook_command.shard.records import LogRecord
from daybook_infra.runtime.errors import KafkaAway
from daybook_infra.runtime.kafka.lost_batch import offsets_of
from daybook_infra.runtime.kafka.options import connection_of
from daybook_infra.runtime.settings import Settings

# If the partition's leader does not answer for this time, it counts as away; the caller tries again.
STALL_SECONDS = 10.0
POLL_MS = 200
# Maximum number of records in a slice. Folding an entry takes 40 µs, and up to 1 ms if it touches 1000 things.
SLICE_RECORDS = 128


class LogReader:
    """Has two consumers without a group. One reads records, for one caller after another. The other asks where the log
    begins and ends, so that a partition without a leader does not delay reads of other partitions.
    """

    def __init__(self, settings: Settings, topic: str) -> None:
        self._topic = topic
        self._partitions = range(settings.partitions)
        self._reading = ReplaceableConsumer(connection_of(settings), "daybook-command-log", start_seconds=STALL_SECONDS)
        self._bounds = TopicBounds(settings, topic, "daybook-command-probe")
        self._read_lock = asyncio.Lock()

    async def stop(self) -> None:
        await asyncio.gather(self._reading.stop(), self._bounds.stop())

    async def read_ends(self) -> dict[int, int]:
        """The end offset of each partition of the log. Raises KafkaAway unless the leaders of all partitions answer."""
        return await self._bounds.ends(self._partitions)

    async def read_bounds(self, partition: int) -> tuple[int, int]:
        """The first and the end offset of the partition's log. Raises KafkaAway."""
        return await self._bounds.bounds(partition)

    async def read_range(self, partition: int, start: int, stop: int) -> GapRead:
        """The records in [start, stop), and where the log begins. Raises KafkaAway."""
        first, end = await self.read_bounds(partition)
        if stop > end:
            raise KafkaAway(f"the log of partition {partition} ends at {end}, before {stop}")
        records: list[LogRecord] = []
        position = max(start, first)
        while position < stop:
            read = await self.read_slice(partition, position, stop)
            records += read.records
            position = read.next_offset
        return GapRead(records, first)

    async def read_slice(self, partition: int, start: int, stop: int) -> LogRead:
        """The next records in [start, stop), SLICE_RECORDS at most. Raises KafkaAway, also if Kafka no longer has the
        offset `start`. The consumer stays assigned until `stop` is reached, so that records of the next slices that it
        has already fetched are not fetched again.
        """
        problem = f"the log of partition {partition} cannot be read"
        async with self._read_lock, self._reading.use(problem) as consumer:
            place = TopicPartition(self._topic, partition)
            if place not in consumer.assignment() or await consumer.position(place) != start:
                consumer.assign([place])
                consumer.seek(place, start)
            read = await self._read_on(consumer, place, start, stop)
            if read.next_offset == stop:
                consumer.unsubscribe()
        return read

    async def _read_on(self, consumer: AIOKafkaConsumer, place: TopicPartition, start: int, stop: int) -> LogRead:
        """Waits until the consumer's position has moved. The records do not show this: some offsets have no record,
        such as those of a transaction's markers.
        """
        stalled_at = asyncio.get_running_loop().time() + STALL_SECONDS
        while True:
            fetched = await consumer.getmany(place, timeout_ms=POLL_MS, max_records=SLICE_RECORDS)
            position = await consumer.position(place)
            if position > start:
                records = [_log_record(record) for record in fetched.get(place, ()) if record.offset < stop]
                return LogRead(records, min(position, stop))
            if asyncio.get_running_loop().time() > stalled_at:
                raise KafkaAway(f"the log of partition {place.partition} stalled before offset {stop}")


def _log_record(record: ConsumerRecord[bytes, bytes]) -> LogRecord:
    return LogRecord(record.offset, record.value, offsets_of(record.value))
