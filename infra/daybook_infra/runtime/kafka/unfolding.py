"""Decompresses record batches up to a bound: a batch's compressed bytes in, its records' bytes out, or UnfoldsTooFar.
What a batch declares of its own size is not looked at.
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

UNFOLDED_BYTES: Final = 64 * 1024 * 1024
"""A batch may unfold to so much. Daybook's own unfold to about 1 MiB, and no topic takes a request above 5 MiB."""

# Batches of JSON unfold to 3 to 6 times their size; what needs more is tried again with more room.
_FIRST_GUESS = 8
_SMALLEST_GUESS = 64 * 1024
_GUESS_GROWTH = 8
_GZIP_CHUNK = 1024 * 1024
_XERIAL_HEADER_BYTES = 16

_Unfold = Callable[[bytes, bytearray], int]
_Decode = Callable[[Any], bytearray]


@dataclass(slots=True)
class Work:
    """What this process has unfolded so far, and how long that took; a refused batch counts with the bound."""

    unfolded_bytes: int = 0
    seconds: float = 0.0


work: Final = Work()


class UnfoldsTooFar(Exception):
    """The batch unfolds to more than `UNFOLDED_BYTES`."""


def install() -> None:
    """For every consumer of this process. aiokafka imports its decoders by name into each module that reads batches,
    compiled ones included.
    """
    decoders = {"gzip": unfold_gzip, "snappy": unfold_snappy, "lz4": unfold_lz4, "zstd": unfold_zstd}
    for module in _modules_that_read_batches():
        for name, decode in decoders.items():
            if hasattr(module, f"{name}_decode"):
                setattr(module, f"{name}_decode", _counted(decode))


def _counted(decode: _Decode) -> _Decode:
    @wraps(decode)
    def counting(payload: Any) -> bytearray:
        begun_at = time.perf_counter()
        size = UNFOLDED_BYTES
        try:
            unfolded = decode(payload)
            size = len(unfolded)
            return unfolded
        finally:
            work.unfolded_bytes += size
            work.seconds += time.perf_counter() - begun_at

    return counting


def _modules_that_read_batches() -> list[Any]:
    """The Python modules and, where aiokafka was built with them, the compiled ones that its readers come from."""
    readers = (default_records.DefaultRecordBatch, legacy_records.LegacyRecordBatch)
    return [default_records, legacy_records, *(sys.modules[reader.__module__] for reader in readers)]


def unfold_zstd(payload: Any) -> bytearray:
    return _into_growing_room(bytes(payload), cramjam.zstd.decompress_into)


def unfold_lz4(payload: Any) -> bytearray:
    return _into_growing_room(bytes(payload), cramjam.lz4.decompress_into)


def unfold_gzip(payload: Any) -> bytearray:
    """All members of the stream; raises zlib.error or EOFError where it is not whole."""
    unfolded = bytearray()
    left = bytes(payload)
    while left:
        member = zlib.decompressobj(wbits=31)
        while not member.eof:
            piece = member.decompress(left, _GZIP_CHUNK)
            if not piece and not member.unconsumed_tail and not member.eof:
                raise EOFError("a gzip stream ended before its end-of-stream marker")
            unfolded += piece
            _check_size(len(unfolded))
            left = member.unconsumed_tail
        left = member.unused_data.lstrip(b"\0")
    return unfolded


def unfold_snappy(payload: Any) -> bytearray:
    """One raw block, or the blocks of a stream in the framing of the Java library."""
    data = bytes(payload)
    if not codec._detect_xerial_stream(data):  # noqa: SLF001 - the detection that this stands in for
        return _snappy_block(data, 0)
    unfolded = bytearray()
    at = _XERIAL_HEADER_BYTES
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        unfolded += _snappy_block(data[at + 4 : at + 4 + size], len(unfolded))
        at += 4 + size
    return unfolded


def _snappy_block(block: bytes, before: int) -> bytearray:
    """A block states its length first, and the decoder writes no more than that."""
    size = cramjam.snappy.decompress_raw_len(block)
    _check_size(before + size)
    room = bytearray(size)
    cramjam.snappy.decompress_raw_into(block, room)
    return room


def _into_growing_room(payload: bytes, unfold: _Unfold) -> bytearray:
    """Raises cramjam's DecompressionError where the payload is not what it should be."""
    size = max(_SMALLEST_GUESS, _FIRST_GUESS * len(payload))
    while True:
        room = bytearray(min(size, UNFOLDED_BYTES))
        try:
            del room[unfold(payload, room) :]
        except cramjam.DecompressionError as error:
            if "failed to write whole buffer" not in str(error):
                raise
        else:
            return room
        _check_size(len(room) + 1)
        size *= _GUESS_GROWTH


def _check_size(size: int) -> None:
    if size > UNFOLDED_BYTES:
        raise UnfoldsTooFar
