"""Bounded decompression gives the bytes that aiokafka compressed, or an error if they exceed the bound."""

import gzip
import zlib
from collections.abc import Callable
from typing import Any

import cramjam
import pytest
from aiokafka import codec
from hypothesis import given
from hypothesis import strategies as st

from daybook_infra.runtime.kafka import decompression
from daybook_infra.runtime.kafka.decompression import MAX_DECOMPRESSED_BYTES, BatchTooLarge

DECODERS: dict[str, Callable[[Any], bytearray]] = {
    "gzip": decompression.decompress_gzip,
    "snappy": decompression.decompress_snappy,
    "lz4": decompression.decompress_lz4,
    "zstd": decompression.decompress_zstd,
}
payloads = st.binary(min_size=1) | st.builds(bytes.__mul__, st.binary(min_size=1, max_size=20), st.integers(1, 300_000))


@pytest.mark.parametrize("name", DECODERS)
@given(payload=payloads)
def test_compressed_data_round_trips(name: str, payload: bytes) -> None:
    assert DECODERS[name](getattr(codec, f"{name}_encode")(payload)) == payload


@pytest.mark.parametrize("name", DECODERS)
def test_a_payload_at_the_bound_is_decompressed_and_one_more_byte_is_refused(name: str) -> None:
    encode = getattr(codec, f"{name}_encode")
    assert len(DECODERS[name](encode(bytes(MAX_DECOMPRESSED_BYTES)))) == MAX_DECOMPRESSED_BYTES
    with pytest.raises(BatchTooLarge):
        DECODERS[name](encode(bytes(MAX_DECOMPRESSED_BYTES + 1)))


@given(st.lists(st.binary(min_size=1), min_size=2, max_size=4))
def test_streams_of_several_parts_are_decompressed(parts: list[bytes]) -> None:
    assert decompression.decompress_gzip(b"".join(map(gzip.compress, parts))) == b"".join(parts)
    frames = b"".join(bytes(cramjam.zstd.compress(part)) for part in parts)
    assert decompression.decompress_zstd(frames) == b"".join(parts)
    assert decompression.decompress_snappy(bytes(cramjam.snappy.compress_raw(parts[0]))) == parts[0]


def test_the_bound_holds_for_all_parts_of_a_stream_together() -> None:
    part = bytes(MAX_DECOMPRESSED_BYTES // 4)
    with pytest.raises(BatchTooLarge):
        decompression.decompress_gzip(gzip.compress(part, 1) * 5)
    with pytest.raises(BatchTooLarge):
        decompression.decompress_zstd(bytes(cramjam.zstd.compress(part)) * 5)
    blocks = codec.snappy_encode(part)[16:]
    with pytest.raises(BatchTooLarge):
        decompression.decompress_snappy(codec.snappy_encode(b"x")[:16] + blocks * 5)


@pytest.mark.parametrize("name", DECODERS)
def test_a_truncated_stream_is_a_decompression_error(name: str) -> None:
    stream = getattr(codec, f"{name}_encode")(b"some text " * 1000)
    with pytest.raises((cramjam.DecompressionError, EOFError, zlib.error)):
        DECODERS[name](stream[: len(stream) // 2])


def test_a_snappy_block_with_a_wrong_length_is_refused() -> None:
    block = bytes(cramjam.snappy.compress_raw(b"x" * 100))
    with pytest.raises(cramjam.DecompressionError):
        decompression.decompress_snappy(bytes([90]) + block[1:])
    with pytest.raises(BatchTooLarge):
        decompression.decompress_snappy(b"\xff\xff\xff\xff\x0f" + block[1:])
