"""One partition's records on their way from the shared consumer to the partition's worker: bounded, in offset order.
A feed is shut until its worker has found the checkpoint, so that no record is handed over before its time.
"""

import asyncio
from collections import deque
from collections.abc import Sequence

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

# Behind this much the partition is paused; one fetch of up to 8 MiB may come on top.
FULL_BYTES = 8 * 1024 * 1024

Record = ConsumerRecord[bytes, bytes]


class Feed:
    def __init__(self, consumer: AIOKafkaConsumer, source: TopicPartition) -> None:
        self._consumer = consumer
        self._source = source
        self._records: deque[Record] = deque()
        self._bytes = 0
        self._is_open = False
        self._is_over = False
        self._news = asyncio.Event()

    def put(self, records: Sequence[Record]) -> None:
        if not self._is_open:
            return
        self._records.extend(records)
        self._bytes += sum(map(_size, records))
        self._news.set()
        if self._bytes > FULL_BYTES:
            self._consumer.pause(self._source)

    async def take(self, limit: int, seconds: float) -> list[Record] | None:
        """Up to `limit` records, none if there were none for so many seconds; None once no more are wanted."""
        try:
            async with asyncio.timeout(seconds):
                while not self._records and not self._is_over:
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            return []
        return None if self._is_over else self.take_more(limit)

    def take_more(self, limit: int) -> list[Record]:
        """Up to `limit` of the records that are here, maybe none."""
        was_full = self._bytes > FULL_BYTES
        taken = [self._records.popleft() for _ in range(min(limit, len(self._records)))]
        self._bytes -= sum(map(_size, taken))
        if was_full and self._bytes <= FULL_BYTES:
            self._resume()
        return taken

    def open_at(self, offset: int) -> None:
        self._is_open = True
        if self._is_assigned():
            self._consumer.seek(self._source, offset)
            self._resume()

    def shut(self) -> None:
        """Drops what is here; nothing more comes before `open_at`."""
        self._is_open = False
        self._records.clear()
        self._bytes = 0
        if self._is_assigned():
            self._consumer.pause(self._source)

    def finish(self) -> None:
        """The worker ends after the batch that it is at."""
        self._is_over = True
        self._news.set()

    def _resume(self) -> None:
        if self._is_open and self._is_assigned():
            self._consumer.resume(self._source)

    def _is_assigned(self) -> bool:
        return self._source in self._consumer.assignment()


def _size(record: Record) -> int:
    return len(record.value or b"")
