"""Keys are partitioned as they are by the default partitioner of Kafka's Java client."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daybook_contracts.routing import murmur2, partition_of


@pytest.mark.parametrize(
    ("text", "hashed"),
    [
        ("21", -973932308),
        ("foobar", -790332482),
        ("a-little-bit-long-string", -985981536),
        ("a-little-bit-longer-string", -1486304829),
        ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        ("abc", 479470107),
    ],
)
def test_murmur2_matches_the_values_published_by_kafka(text: str, hashed: int) -> None:
    assert murmur2(text.encode()) == hashed


def test_the_golden_org_is_in_partition_6_of_12() -> None:
    assert partition_of("00000000-0000-4000-8000-000000000001", 12) == 6


def test_the_sign_bit_of_a_negative_hash_is_masked() -> None:
    assert partition_of("21", 1_000) == (-973932308 & 0x7FFFFFFF) % 1_000


@given(st.uuids(), st.integers(1, 256))
def test_every_key_has_a_partition(key: object, partitions: int) -> None:
    assert 0 <= partition_of(str(key), partitions) < partitions
