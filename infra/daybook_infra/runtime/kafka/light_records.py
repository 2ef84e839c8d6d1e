"""Reads the fetched batches of a partition piece by piece: batches in, light records out. aiokafka passes each record
through several generators and turns it into an object with eleven attributes, which takes most of the time of reading a
long log.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Any

from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException
from msgspec import Struct


class LightRecord(Struct, frozen=True, gc=False):
    """Stands in for aiokafka's `ConsumerRecord`. Has no sizes and no checksum."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    timestamp_type: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]


class LightRecords(fetcher.PartitionRecords):
    """Returns uncommitted records too: Daybook uses no transactions."""

    _batch: Any = None
    _unread: Iterator[Any] = iter(())

    def __next__(self) -> LightRecord:
        for record in self.take(1):
            return record
        raise StopIteration

    def take(self, most: int | None) -> list[LightRecord]:
        """The next records of one batch, `most` at most; none at the end. Raises `CorruptRecordException`."""
        while self._batch is not None or self._begin_batch():
            found = list(islice(self._unread, most))
            topic, partition = self._tp
            start = self.next_fetch_offset  # a batch may begin with earlier records
            records = [
                LightRecord(
                    topic,
                    partition,
                    each.offset,
                    each.timestamp,
                    each.timestamp_type,
                    each.key,
                    each.value,
                    tuple(each.headers),
                )
                for each in found
                if each.offset >= start
            ]
            if len(found) != most:
                # In a compacted topic, the next offset after a batch may not be the one after its last record.
                self.next_fetch_offset, self._batch, self._unread = self._batch.next_offset, None, iter(())
            elif records:
                self.next_fetch_offset = records[-1].offset + 1
            if records:
                return records
        return []

    def _begin_batch(self) -> bool:
        """Returns whether there is another batch of records."""
        while self._records.has_next():
            batch = self._records.next_batch()
            if self._check_crcs and not batch.validate_crc():
                raise CorruptRecordException(f"Invalid CRC - {self._tp}")
            if not batch.is_control_batch:
                self._batch, self._unread = batch, iter(batch)
                return True
            self.next_fetch_offset = batch.next_offset
        return False
