"""Reads a record of a batch without its headers: a batch of 64 MiB can have 33 million headers. A record with more than
READ_HEADERS headers is *bare*: they are not read, but its key and value are, since on the log only the value counts.
"""

from dataclasses import dataclass
from typing import Any, Final

from aiokafka.errors import CorruptRecordException
from aiokafka.record.util import decode_varint

UNREAD_HEADERS: Final[tuple[tuple[str, bytes], ...]] = (("daybook-unread", b""),)
"""The headers of a bare record. Compare by identity, because a sender may send such a header."""


@dataclass(frozen=True, slots=True)
class BareRecord:
    """Has the attributes of a record that aiokafka's fetcher reads."""

    offset: int
    timestamp: int
    timestamp_type: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = UNREAD_HEADERS
    checksum: None = None

    @classmethod
    def of(cls, record: Any) -> "BareRecord":
        return cls(record.offset, record.timestamp, record.timestamp_type, record.key, record.value)


@dataclass(frozen=True, slots=True)
class Frame:
    """The record at one place of a decompressed batch. `end`: the index after its last byte. `headers`: their number.
    `timestamp`, `offset`: relative to the batch. `key`, `value`: their places; None if the record has none.
    """

    end: int
    timestamp: int
    offset: int
    key: slice | None
    value: slice | None
    headers: int

    def read(self, buffer: bytearray, batch: Any) -> BareRecord:
        is_of_broker = batch.timestamp_type == batch.LOG_APPEND_TIME
        return BareRecord(
            batch.base_offset + self.offset,
            batch.max_timestamp if is_of_broker else batch.first_timestamp + self.timestamp,
            batch.timestamp_type,
            None if self.key is None else bytes(buffer[self.key]),
            None if self.value is None else bytes(buffer[self.value]),
        )


def frame_at(buffer: bytearray, start: int) -> Frame:
    """Raises IndexError or CorruptRecordException if there is no whole record."""
    length, begin = decode_varint(buffer, start)
    _, at = decode_varint(buffer, begin)  # attributes
    timestamp, at = decode_varint(buffer, at)
    offset, at = decode_varint(buffer, at)
    key, at = _bytes_at(buffer, at)
    value, at = _bytes_at(buffer, at)
    headers, at = decode_varint(buffer, at)
    end = begin + length
    if not at <= end <= len(buffer):
        raise CorruptRecordException(f"A record has a wrong length: {length} bytes")
    return Frame(end, timestamp, offset, key, value, headers)


def _bytes_at(buffer: bytearray, start: int) -> tuple[slice | None, int]:
    """The place of the bytes whose length is at `start`, and the index after them. A negative length means none."""
    length, at = decode_varint(buffer, start)
    return (None, at) if length < 0 else (slice(at, at + length), at + length)
