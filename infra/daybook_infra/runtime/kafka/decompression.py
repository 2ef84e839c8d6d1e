"""Decompresses record batches up to a bound: a batch's compressed bytes in, its records' bytes out, or BatchTooLarge.
A batch of more than 1 MiB is left to the reader in Python (`LargeBatch`). The size that a batch declares for itself is
not trusted.
"""

import sys
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, Final

import cramjam
from aiokafka import codec
from aiokafka.record import default_records, legacy_records

MAX_DECOMPRESSED_BYTES: Final = 64 * 1024 * 1024
"""The limit of one batch. Daybook's own batches have at most about 1 MiB, and no topic accepts more than 5 MiB."""

MAX_FAST_BYTES: Final = 1024 * 1024
"""The largest batch, decompressed, that aiokafka's compiled reader may read: it makes an object of 150 bytes for each
header of a record, and a header may have as few as two bytes.
"""

# Batches of JSON decompress to 3 to 6 times their size. A batch that needs more than the first guess is decompressed
# again into a larger buffer.
_FIRST_GUESS = 8
_SMALLEST_GUESS = 64 * 1024
_GUESS_GROWTH = 8
_GZIP_CHUNK = 1024 * 1024
_XERIAL_HEADER_BYTES = 16

_DecompressInto = Callable[[bytes, bytearray], int]
_Decode = Callable[[Any], bytearray]


@dataclass(slots=True)
class Totals:
    """What this process has decompressed so far, and how long that took. A refused batch counts as
    MAX_DECOMPRESSED_BYTES.
    """

    decompressed_bytes: int = 0
    seconds: float = 0.0


totals: Final = Totals()


class BatchTooLarge(Exception):
    """The batch decompresses to more than `MAX_DECOMPRESSED_BYTES`."""


class LargeBatch(Exception):
    """The batch has decompressed to more than `MAX_FAST_BYTES`."""

    def __init__(self, records: bytearray) -> None:
        super().__init__("the batch is too large for the compiled reader")
        self.records = records


def install() -> None:
    """Affects every consumer of this process. aiokafka imports its decoders by name into each module, compiled or not,
    that reads batches.
    """
    decoders = {"gzip": decompress_gzip, "snappy": decompress_snappy, "lz4": decompress_lz4, "zstd": decompress_zstd}
    for module in _modules_that_read_batches():
        for name, decode in decoders.items():
            if hasattr(module, f"{name}_decode"):
                counting = _with_counting(decode)
                has_headers = not hasattr(module, "LegacyRecordBatch")
                setattr(module, f"{name}_decode", _refusing_large(counting) if has_headers else counting)


def _refusing_large(decode: _Decode) -> _Decode:
    @wraps(decode)
    def refusing(payload: Any) -> bytearray:
        decompressed = decode(payload)
        if len(decompressed) > MAX_FAST_BYTES:
            raise LargeBatch(decompressed)
        return decompressed

    return refusing


def _with_counting(decode: _Decode) -> _Decode:
    @wraps(decode)
    def counting(payload: Any) -> bytearray:
        started_at = time.perf_counter()
        size = MAX_DECOMPRESSED_BYTES
        try:
            decompressed = decode(payload)
            size = len(decompressed)
            return decompressed
        finally:
            totals.decompressed_bytes += size
            totals.seconds += time.perf_counter() - started_at

    return counting


def _modules_that_read_batches() -> list[Any]:
    """The modules of aiokafka's readers: those in Python, and the compiled ones if aiokafka was built with them."""
    readers = (default_records.DefaultRecordBatch, legacy_records.LegacyRecordBatch)
    return [default_records, legacy_records, *(sys.modules[reader.__module__] for reader in readers)]


def decompress_zstd(payload: Any) -> bytearray:
    return _into_growing_buffer(bytes(payload), cramjam.zstd.decompress_into)


def decompress_lz4(payload: Any) -> bytearray:
    return _into_growing_buffer(bytes(payload), cramjam.lz4.decompress_into)


def decompress_gzip(payload: Any) -> bytearray:
    """All members of the stream. Raises zlib.error or EOFError if the stream is invalid or incomplete."""
    decompressed = bytearray()
    left = bytes(payload)
    while left:
        member = zlib.decompressobj(wbits=31)
        while not member.eof:
            piece = member.decompress(left, _GZIP_CHUNK)
            if not piece and not member.unconsumed_tail and not member.eof:
                raise EOFError("a gzip stream ended before its end-of-stream marker")
            decompressed += piece
            _check_size(len(decompressed))
            left = member.unconsumed_tail
        left = member.unused_data.lstrip(b"\0")
    return decompressed


def decompress_snappy(payload: Any) -> bytearray:
    """One raw block, or the blocks of a stream in the framing of the Java library."""
    data = bytes(payload)
    if not codec._detect_xerial_stream(data):  # noqa: SLF001 - aiokafka's own detection
        return _snappy_block(data, 0)
    decompressed = bytearray()
    at = _XERIAL_HEADER_BYTES
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        decompressed += _snappy_block(data[at + 4 : at + 4 + size], len(decompressed))
        at += 4 + size
    return decompressed


def _snappy_block(block: bytes, before: int) -> bytearray:
    """A block states its length first, and the decoder writes no more than that."""
    size = cramjam.snappy.decompress_raw_len(block)
    _check_size(before + size)
    buffer = bytearray(size)
    cramjam.snappy.decompress_raw_into(block, buffer)
    return buffer


def _into_growing_buffer(payload: bytes, decompress: _DecompressInto) -> bytearray:
    """Raises cramjam's DecompressionError if the payload is malformed."""
    size = max(_SMALLEST_GUESS, _FIRST_GUESS * len(payload))
    while True:
        buffer = bytearray(min(size, MAX_DECOMPRESSED_BYTES))
        try:
            del buffer[decompress(payload, buffer) :]
        except cramjam.DecompressionError as error:
            if "failed to write whole buffer" not in str(error):
                raise
        else:
            return buffer
        _check_size(len(buffer) + 1)
        size *= _GUESS_GROWTH


def _check_size(size: int) -> None:
    if size > MAX_DECOMPRESSED_BYTES:
        raise BatchTooLarge
