"""Records with very many headers are read without them, at little cost, whatever the batch around them."""

import tracemalloc
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy

from daybook_contracts.limits import READ_HEADERS
from daybook_infra.runtime.kafka import lenient_records
from daybook_infra.runtime.kafka.bare_records import UNREAD_HEADERS
from daybook_infra.runtime.kafka.decompression import MAX_FAST_BYTES
from daybook_infra.runtime.kafka.lenient_records import LenientRecords
from daybook_infra.runtime.kafka.light_records import LightRecords
from support.bombs import header_bomb
from support.odd_headers import NotUtf8

MIB = 1024 * 1024
NONE, ZSTD = 0, 4
MOST = [(f"n{number}", b"v") for number in range(READ_HEADERS)]
Content = tuple[bytes | None, bytes | None, Sequence[tuple[str, bytes | None]]]
LONG: Content = (None, b"x" * MAX_FAST_BYTES, [])


@pytest.fixture(scope="module", autouse=True)
def _installed() -> None:
    lenient_records.install()


def batch_of(records: Sequence[Content], codec: int) -> bytes:
    builder = _DefaultRecordBatchBuilderPy(2, codec, 0, -1, -1, -1, 64 * MIB)
    for offset, (key, value, headers) in enumerate(records):
        builder.append(offset, 1_000 + offset, key, value, list(headers))
    return bytes(builder.build())


def read(data: bytes) -> Iterator[Any]:
    batches = LenientRecords(data)
    while (batch := batches.next_batch()) is not None:
        yield from batch


@pytest.mark.parametrize("codec", [NONE, ZSTD], ids=["not compressed", "compressed"])
@pytest.mark.parametrize("before", [[], [LONG]], ids=["a small batch", "a large batch"])
@pytest.mark.parametrize("name", ["n", NotUtf8("xx")], ids=["UTF-8", "not UTF-8"])
def test_only_the_headers_of_a_record_with_too_many_are_not_read(codec: int, before: list[Content], name: str) -> None:
    most = [(name, b"v"), *MOST[1:]]
    records = [*before, (b"k", b"most", most), (b"k", b"more", [*most, ("", b"")]), (None, None, [*most, ("", b"")])]
    one = batch_of([*records, (None, b"last", [("a", None)])], codec)
    found = list(read(one + one))
    expected = [("\ufffd\ufffd" if isinstance(name, NotUtf8) else name, b"v"), *MOST[1:]]
    for half in (found[: len(found) // 2], found[len(found) // 2 :]):
        *_, at_limit, above, empty, last = half
        assert (at_limit.key, at_limit.value, list(at_limit.headers)) == (b"k", b"most", expected)
        assert (above.key, above.value, empty.key, empty.value) == (b"k", b"more", None, None)
        assert above.headers is UNREAD_HEADERS
        assert empty.headers is UNREAD_HEADERS
        assert (last.value, list(last.headers)) == (b"last", [("a", None)])
        assert [(each.offset, each.timestamp) for each in half] == [(at, 1_000 + at) for at in range(len(half))]


@pytest.mark.parametrize("codec", [NONE, ZSTD], ids=["not compressed", "compressed"])
def test_a_large_batch_has_the_records_of_small_ones(codec: int) -> None:
    records: list[Content] = [(b"k" * at, b"v" * (at % 300), MOST[: at % 7]) for at in range(300)]
    large = [
        (each.offset, each.key, each.value, list(each.headers)) for each in read(batch_of([*records, LONG], codec))
    ]
    small = [(each.offset, each.key, each.value, list(each.headers)) for each in read(batch_of(records, codec))]
    assert large == [*small, (300, *LONG)]
    assert small == [(at, *record) for at, record in enumerate(records)]


def test_the_mark_of_unread_headers_reaches_the_consumer() -> None:
    data = batch_of([(b"k", b"v", [*MOST, ("", b"")])], ZSTD)
    place, batches = TopicPartition("t", 0), LenientRecords(data)
    reader = LightRecords(place, batches, [], 0, None, None, True, 0)  # type: ignore[no-untyped-call]  # aiokafka's
    (record,) = reader.take(10)
    assert record.headers is UNREAD_HEADERS


def test_a_million_headers_are_not_made_into_objects() -> None:
    data = header_bomb(2_000_000, b"{}").data
    tracemalloc.start()
    try:
        (record,) = read(data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (record.value, record.headers) == (b"{}", UNREAD_HEADERS)
    assert peak < 32 * MIB
