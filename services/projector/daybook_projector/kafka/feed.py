"""A bounded queue of one partition's records between the shared consumer and the partition's worker, in offset order.
The queue drops records until the worker has read the checkpoint and calls `open_at`.
"""

import asyncio
from collections import deque
from collections.abc import Sequence

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from msgspec import Struct

# Above this, the partition is paused; one more fetch of up to 8 MiB may still arrive.
PAUSE_BYTES = 8 * 1024 * 1024


class WaitingRecord(Struct, frozen=True, gc=False):
    """What a worker needs from a fetched record. The headers and the key would take more memory than the value."""

    offset: int
    value: bytes | None


class Feed:
    def __init__(self, consumer: AIOKafkaConsumer, source: TopicPartition) -> None:
        self._consumer = consumer
        self._source = source
        self._records: deque[WaitingRecord] = deque()
        self._bytes = 0
        self._is_open = False
        self._is_finished = False
        self._changed = asyncio.Event()

    def put(self, fetched: Sequence[ConsumerRecord[bytes, bytes]]) -> None:
        if not self._is_open:
            return
        records = [WaitingRecord(each.offset, each.value) for each in fetched]
        self._records.extend(records)
        self._bytes += _bytes_of(records)
        self._changed.set()
        if self._bytes > PAUSE_BYTES:
            self._consumer.pause(self._source)

    async def take(self, limit: int, seconds: float) -> list[WaitingRecord] | None:
        """Up to `limit` records; an empty list if none arrives within `seconds`; None after `finish`."""
        try:
            async with asyncio.timeout(seconds):
                while not self._records and not self._is_finished:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            return []
        return None if self._is_finished else self.take_more(limit)

    def take_more(self, limit: int) -> list[WaitingRecord]:
        """Up to `limit` of the queued records, maybe none."""
        was_full = self._bytes > PAUSE_BYTES
        taken = [self._records.popleft() for _ in range(min(limit, len(self._records)))]
        self._bytes -= _bytes_of(taken)
        if was_full and self._bytes <= PAUSE_BYTES:
            self._resume()
        return taken

    def open_at(self, offset: int) -> None:
        self._is_open = True
        if self._is_assigned():
            self._consumer.seek(self._source, offset)
            self._resume()

    def close(self) -> None:
        """Drops all records. `open_at` opens the feed again."""
        self._is_open = False
        self._records.clear()
        self._bytes = 0
        if self._is_assigned():
            self._consumer.pause(self._source)

    def finish(self) -> None:
        """The worker ends after its current batch."""
        self._is_finished = True
        self._changed.set()

    def _resume(self) -> None:
        if self._is_open and self._is_assigned():
            self._consumer.resume(self._source)

    def _is_assigned(self) -> bool:
        return self._source in self._consumer.assignment()


def _bytes_of(records: Sequence[WaitingRecord]) -> int:
    return sum([len(record.value or b"") for record in records])
