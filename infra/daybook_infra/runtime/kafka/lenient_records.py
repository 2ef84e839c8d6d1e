"""Reads what Kafka accepts and aiokafka cannot read: header names that are not UTF-8, and batches that decompress to
gigabytes. aiokafka alone would stop a partition at such a record. Here, U+FFFD replaces the unreadable bytes of a name,
and a `LostBatch` record replaces a batch that is too large.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, SupportsIndex

from aiokafka.consumer import fetcher
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import MemoryRecords, _MemoryRecordsPy

from daybook_infra.runtime.kafka import decompression, fair_fetching
from daybook_infra.runtime.kafka.lost_batch import LostBatch


class _LenientBuffer(bytearray):
    """Bytes whose `decode` puts U+FFFD in place of what is not UTF-8."""

    def __getitem__(self, where: SupportsIndex | slice) -> Any:
        found = super().__getitem__(where)
        return _LenientBuffer(found) if isinstance(found, bytearray) else found

    def decode(self, encoding: str = "utf-8", errors: str = "replace") -> str:
        return super().decode(encoding, errors)


class _LenientBatch(_DefaultRecordBatchPy):  # type: ignore[misc]  # final in its annotations only
    def _maybe_uncompress(self) -> None:
        super()._maybe_uncompress()
        if not isinstance(self._buffer, _LenientBuffer):
            self._buffer = _LenientBuffer(self._buffer)


@dataclass(frozen=True, slots=True)
class _LostRecord:
    """Has the attributes of a record that aiokafka's fetcher reads."""

    offset: int
    timestamp: int
    timestamp_type: int
    value: LostBatch
    key: None = None
    headers: tuple[()] = ()
    checksum: None = None


class _Batch:
    """A record batch for aiokafka's fetcher. Falls back to the slow reader for header names that the fast reader cannot
    decode.
    """

    def __init__(self, batch: Any, data: bytes, number: int) -> None:
        self._batch = batch
        self._data = data
        self._number = number

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __iter__(self) -> Iterator[Any]:
        read = 0
        try:
            for record in self._batch:
                yield record
                read += 1
        except UnicodeDecodeError:
            yield from islice(self._reread(), read, None)
        except decompression.BatchTooLarge:  # before any record was read
            yield self._make_lost_record()

    def _make_lost_record(self) -> _LostRecord:
        batch = self._batch
        last_offset = batch.next_offset - 1
        lost = LostBatch.of(batch.base_offset, last_offset)
        return _LostRecord(last_offset, batch.max_timestamp, batch.timestamp_type, lost)

    def _reread(self) -> Iterator[Any]:
        batches = _MemoryRecordsPy(self._data)
        for _ in range(self._number):
            batches.next_batch()
        # aiokafka has no public access to a batch's bytes. They are not None, because the fast reader has already read
        # this batch.
        return iter(_LenientBatch(batches._next_slice or b""))  # noqa: SLF001 - as said above


class LenientRecords:
    """Replaces aiokafka's `MemoryRecords`: takes the bytes fetched from a partition, and returns their batches."""

    def __init__(self, data: bytes) -> None:
        records = MemoryRecords(data)
        self.has_next, self.size_in_bytes = records.has_next, records.size_in_bytes
        self._next_batch = records.next_batch
        self._data = data
        self._batches_read = 0

    def next_batch(self) -> _Batch | None:
        batch = self._next_batch()
        if batch is None:
            return None
        self._batches_read += 1
        return _Batch(batch, self._data, self._batches_read - 1)


def install() -> None:
    """Affects every consumer of this process: aiokafka has no setting for it."""
    decompression.install()
    fair_fetching.install()
    fetcher.MemoryRecords = LenientRecords  # type: ignore[attr-defined, assignment]  # a stand-in, not a subtype
