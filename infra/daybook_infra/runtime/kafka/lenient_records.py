"""Reads what Kafka accepts and aiokafka cannot read: header names that are not UTF-8, millions of headers, and batches
that decompress to gigabytes. aiokafka alone would stop a partition, or the process, at such a record. Here, U+FFFD
replaces the unreadable bytes of a name, the headers of a record with too many are not read, and a `LostBatch` replaces
a batch that is too large.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, SupportsIndex

from aiokafka.consumer import fetcher
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import MemoryRecords

from daybook_contracts.limits import READ_HEADERS
from daybook_infra.runtime.kafka import decompression, fair_fetching
from daybook_infra.runtime.kafka.bare_records import BareRecord, frame_at
from daybook_infra.runtime.kafka.lost_batch import LostBatch

# Where a batch has its length, which counts the bytes after it, and the version of its format.
_LENGTH_AT, _LENGTH_ENDS, _MAGIC_AT = 8, 12, 16
_CURRENT_FORMAT = 2


class _LenientBuffer(bytearray):
    """Bytes whose `decode` puts U+FFFD in place of what is not UTF-8."""

    def __getitem__(self, where: SupportsIndex | slice) -> Any:
        found = super().__getitem__(where)
        return _LenientBuffer(found) if isinstance(found, bytearray) else found

    def decode(self, encoding: str = "utf-8", errors: str = "replace") -> str:
        return super().decode(encoding, errors)


class _LenientBatch(_DefaultRecordBatchPy):  # type: ignore[misc]  # final in its annotations only
    def _maybe_uncompress(self) -> None:
        try:
            super()._maybe_uncompress()
        except decompression.LargeBatch as large:
            self.put_records(large.records)

    def put_records(self, decompressed: bytearray) -> None:
        self._buffer, self._pos, self._decompressed = decompressed, 0, True

    def _read_msg(self, *_: Any) -> Any:
        buffer, start = self._buffer, self._pos
        frame = frame_at(buffer, start)
        if frame.headers > READ_HEADERS:
            self._pos = frame.end
            return frame.read(buffer, self)
        try:
            return super()._read_msg()
        except UnicodeDecodeError:
            self._buffer, self._pos = _LenientBuffer(buffer[start : frame.end]), 0
            try:
                return super()._read_msg()
            finally:
                self._buffer, self._pos = buffer, frame.end


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
    """A record batch for aiokafka's fetcher. Uses the slow reader for header names that the fast reader cannot decode,
    and for large batches.
    """

    def __init__(self, batch: Any, data: memoryview) -> None:
        self._batch = batch
        self._data = data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __iter__(self) -> Iterator[Any]:
        if self._is_large():
            yield from _LenientBatch(self._data)
            return
        read = 0
        try:
            for record in self._batch:
                yield record if len(record.headers) <= READ_HEADERS else BareRecord.of(record)
                read += 1
        except UnicodeDecodeError:
            yield from islice(_LenientBatch(self._data), read, None)
        except decompression.LargeBatch as large:  # before any record was read, as below
            batch = _LenientBatch(self._data)
            batch.put_records(large.records)
            yield from batch
        except decompression.BatchTooLarge:
            yield self._make_lost_record()

    def _is_large(self) -> bool:
        """Whether it is a large batch without compression. Only a batch of the current format has headers."""
        is_current = self._data[_MAGIC_AT] >= _CURRENT_FORMAT
        return is_current and self._batch.compression_type == 0 and len(self._data) > decompression.MAX_FAST_BYTES

    def _make_lost_record(self) -> _LostRecord:
        batch = self._batch
        last_offset = batch.next_offset - 1
        lost = LostBatch.of(batch.base_offset, last_offset)
        return _LostRecord(last_offset, batch.max_timestamp, batch.timestamp_type, lost)


class LenientRecords:
    """Replaces aiokafka's `MemoryRecords`: takes the bytes fetched from a partition, and returns their batches."""

    def __init__(self, data: bytes) -> None:
        records = MemoryRecords(data)
        self.has_next, self.size_in_bytes = records.has_next, records.size_in_bytes
        self._next_batch = records.next_batch
        self._rest = memoryview(data)

    def next_batch(self) -> _Batch | None:
        batch = self._next_batch()
        if batch is None:
            return None
        size = _LENGTH_ENDS + int.from_bytes(self._rest[_LENGTH_AT:_LENGTH_ENDS], "big")
        data, self._rest = self._rest[:size], self._rest[size:]
        return _Batch(batch, data)


def install() -> None:
    """Affects every consumer of this process: aiokafka has no setting for it."""
    decompression.install()
    fair_fetching.install()
    fetcher.MemoryRecords = LenientRecords  # type: ignore[attr-defined, assignment]  # a stand-in, not a subtype
