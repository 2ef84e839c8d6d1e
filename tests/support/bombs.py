"""Decompression bombs: record batches that are small in a topic and decompress to any size. They are compressed piece
by piece, so that the test needs little memory, and sent as raw bytes.
"""

import struct
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import cramjam
from aiokafka import AIOKafkaProducer
from aiokafka.codec import snappy_encode
from aiokafka.record.default_records import DefaultRecordBase
from aiokafka.record.util import calc_crc32c, encode_varint

MIB: Final = 1024 * 1024
_AFTER_CRC: Final = ">hiqqqhii"
_BEFORE_CRC: Final = ">qiibI"
_AFTER_LENGTH: Final = 12


@dataclass(frozen=True, slots=True)
class RawBatch:
    """A batch that is already built, with the methods that aiokafka's producer calls on a batch."""

    data: bytes
    records: int

    def record_count(self) -> int:
        return self.records

    def size(self) -> int:
        return len(self.data)

    def close(self) -> None: ...

    def closed(self) -> bool:
        return True

    def _build(self) -> bytes:
        return self.data


def bomb(codec: str, records: int, value_bytes: int, value: bytes = b"\0") -> RawBatch:
    """A batch of records without keys. Each record's value repeats `value` up to `value_bytes` bytes."""
    return _batch(codec, records, _pieces(records, value_bytes, value))


def header_bomb(headers: int, value: bytes) -> RawBatch:
    """A batch of one record with this number of headers, whose names and values are empty."""
    return _batch("zstd", 1, _pieces_of_headers(headers, value))


def _batch(codec: str, records: int, pieces: Iterator[bytes]) -> RawBatch:
    compressed = _CODECS[codec](pieces)
    now_ms = int(time.time() * 1000)
    attributes = getattr(DefaultRecordBase, f"CODEC_{codec.upper()}")
    after = struct.pack(_AFTER_CRC, attributes, records - 1, now_ms, now_ms, -1, -1, -1, records) + compressed
    length = struct.calcsize(_BEFORE_CRC) - _AFTER_LENGTH + len(after)
    return RawBatch(struct.pack(_BEFORE_CRC, 0, length, -1, 2, calc_crc32c(after)) + after, records)


async def send_raw(bootstrap: str, topic: str, partition: int, *batches: RawBatch) -> list[int]:
    """Returns the first offset of each batch."""
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", max_request_size=5 * MIB) as producer:
        sent = [await producer.send_batch(batch, topic, partition=partition) for batch in batches]
        return [(await acknowledged).offset for acknowledged in sent]


def _pieces(records: int, value_bytes: int, value: bytes) -> Iterator[bytes]:
    for offset in range(records):
        head = bytearray(b"\0\0")  # no attributes; the same timestamp as the batch
        encode_varint(offset, head.append)
        encode_varint(-1, head.append)
        encode_varint(value_bytes, head.append)
        length = bytearray()
        encode_varint(len(head) + value_bytes + 1, length.append)
        yield bytes(length + head)
        for start in range(0, value_bytes, MIB):
            size = min(MIB, value_bytes - start)
            yield (value * (size // len(value) + 1))[:size]
        yield b"\0"  # no headers


def _pieces_of_headers(headers: int, value: bytes) -> Iterator[bytes]:
    head = bytearray(b"\0\0\0")  # no attributes; the same timestamp and offset as the batch
    encode_varint(-1, head.append)
    encode_varint(len(value), head.append)
    head += value
    encode_varint(headers, head.append)
    length = bytearray()
    encode_varint(len(head) + 2 * headers, length.append)
    yield bytes(length + head)
    for start in range(0, headers, MIB):
        yield b"\0\0" * min(MIB, headers - start)


def _gzip(pieces: Iterator[bytes]) -> bytes:
    compressor = zlib.compressobj(wbits=31)
    return b"".join(map(compressor.compress, pieces)) + compressor.flush()


def _snappy(pieces: Iterator[bytes]) -> bytes:
    """Snappy in the framing of Kafka's Java library: one header of 16 bytes, then the blocks."""
    framed = [snappy_encode(piece) for piece in pieces]
    return framed[0][:16] + b"".join(each[16:] for each in framed)


def _lz4(pieces: Iterator[bytes]) -> bytes:
    return _streamed(cramjam.lz4.Compressor(level=9, content_checksum=False, block_linked=False), pieces)


def _zstd(pieces: Iterator[bytes]) -> bytes:
    return _streamed(cramjam.zstd.Compressor(), pieces)


def _streamed(compressor: "cramjam.zstd.Compressor | cramjam.lz4.Compressor", pieces: Iterator[bytes]) -> bytes:
    compressed = bytearray()
    for piece in pieces:
        compressor.compress(piece)
        compressed += bytes(compressor.flush())
    return bytes(compressed + bytes(compressor.finish()))


_CODECS: Final[dict[str, Callable[[Iterator[bytes]], bytes]]] = {
    "gzip": _gzip,
    "snappy": _snappy,
    "lz4": _lz4,
    "zstd": _zstd,
}
