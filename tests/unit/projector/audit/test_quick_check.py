"""The quick check of an entry agrees with the rules of the log (admission, trust, a later time) and with the slow
checks, which are made one by one.
"""

from collections import Counter
from random import Random
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daybook_contracts.entries.entry import decode_entry
from daybook_contracts.entries.hashing import commit_hash, entry_hash
from daybook_contracts.entries.reading import read_entry
from daybook_contracts.log.admission import VoidReason, admit
from daybook_contracts.log.head import GENESIS, Head
from daybook_contracts.log.sealing import hash_preimage
from daybook_projector.audit.checks.chain import Chain
from daybook_projector.audit.checks.digest import entry_row_hash
from daybook_projector.audit.checks.entry_checks import Judged, judge
from daybook_projector.audit.checks.own_checks import Expected
from daybook_projector.audit.checks.quick_check import CheckedRun, check_quickly
from daybook_projector.partition.entry import poison_if_misplaced, read_partition_entry
from support.entry_mutations import mutated
from support.entry_samples import samples

PARTITIONS: Final = 12
ENTRIES: Final = [sample.value for sample in samples().values()]
PLACES: Final = {
    "unreadable": {VoidReason.NOT_CANONICAL},
    "canonical": {VoidReason.NOT_CANONICAL},
    "partition": {VoidReason.WRONG_PARTITION},
    "position": {VoidReason.WRONG_POSITION},
    "prev": {VoidReason.WRONG_PREV},
    "hash": {VoidReason.WRONG_HASH},
}
EARLY, LATE = "", "2026-11-22T15:10:13.123456Z"
"""The time of the previous entry: none, or the time of the samples."""


def partition_of_sample(value: bytes) -> int:
    return int(value.split(b'"partition":')[1].split(b",")[0])


def log_verdict(value: bytes, partition: int, last_time: str) -> VoidReason | bool:
    """Why the entry is void; otherwise, whether it is valid."""
    admitted = admit(GENESIS, partition, value)
    if isinstance(admitted, VoidReason):
        return admitted
    entry = poison_if_misplaced(read_partition_entry(-1, admitted), partition, PARTITIONS)
    return entry.poison is None and entry.columns is not None and entry.columns.created_at > last_time


def slow_verdict(value: bytes, partition: int, last_time: str) -> Judged:
    return judge(value, Expected(partition, GENESIS, last_time, PARTITIONS))


def assert_agreed(value: bytes, partition: int, last_time: str) -> str:
    """Asserts that both verdicts agree with each other and with the quick check. Returns the verdict's name."""
    logged, slow = log_verdict(value, partition, last_time), slow_verdict(value, partition, last_time)
    check = "right" if slow.fault is None else slow.fault.check
    if check in PLACES:
        assert logged in PLACES[check], value
    else:
        # A redacted entry is valid, but no fold trusts it: its data cannot be checked.
        assert logged == (slow.fault is None and not slow.is_redacted), (value, slow.fault)
    assert_sound(check_quickly([value], partition, GENESIS, last_time, PARTITIONS), value, logged=logged)
    chain = Chain(partition, "export", partitions=PARTITIONS)
    chain._created_at = last_time
    finding = chain.follow(-1, value).finding
    assert (finding and finding.check) == (slow.fault and slow.fault.check)
    assert chain.head == slow.head
    assert chain._created_at == slow.created_at
    return check


def assert_sound(checked: CheckedRun | None, value: bytes, *, logged: VoidReason | bool) -> None:
    """Asserts that an entry that passes the quick check is admitted and trusted."""
    if checked is not None:
        assert logged is True, value
        trusted = read_entry(value)
        assert checked == ([trusted.entry], [trusted.fact], [entry_row_hash(value)])


@pytest.mark.parametrize("value", ENTRIES)
def test_every_sample_passes_the_quick_check(value: bytes) -> None:
    assert check_quickly([value], partition_of_sample(value), GENESIS, EARLY, PARTITIONS) is not None


def sealed_as_it_is(value: bytes) -> bytes:
    """The entry with its commit and hash computed from its bytes, even if they are not canonical."""
    metadata = decode_entry(value).metadata_json
    data = bytes(metadata.data)
    commit = commit_hash(bytes.fromhex(metadata.salt or ""), data)
    value = value.replace(metadata.commit.encode(), commit.encode())
    return value.replace(metadata.hash.encode(), entry_hash(hash_preimage(value, len(data))).encode())


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("RENAME_ORG", b'"result":"success"', b'"result": "success"'),
        ("RENAME_ORG", b'"data":{"name":', b'"data":{"name": '),
        ("RECORD_DLQ_EVENT", b'"payload":{', b'"payload":{ '),
        ("CREATE_CONNECTION", b'"config":{', b'"config":{ '),
    ],
)
def test_bytes_that_are_not_canonical_are_invalid_even_with_correct_hashes(name: str, old: bytes, new: bytes) -> None:
    right = samples()[f"{name}.v1.json"].value
    forged = sealed_as_it_is(right.replace(old, new))
    partition = partition_of_sample(right)
    assert forged != right
    assert sealed_as_it_is(right) == right
    assert check_quickly([forged], partition, GENESIS, EARLY, PARTITIONS) is None
    finding = Chain(partition, "topic", partitions=PARTITIONS).follow(0, forged).finding
    assert finding is not None
    assert finding.check == "canonical"


def test_an_entry_of_an_org_of_another_partition_is_invalid() -> None:
    value = samples()["RENAME_ORG.v1.json"].value
    partition = partition_of_sample(value)
    assert check_quickly([value], partition, GENESIS, EARLY, None) is not None
    assert check_quickly([value], partition, GENESIS, EARLY, PARTITIONS + 1) is None


@settings(max_examples=1000, deadline=None)
@given(st.sampled_from(ENTRIES), st.randoms(use_true_random=False), st.sampled_from([EARLY, LATE]))
def test_all_checks_agree_on_a_mutated_entry(value: bytes, random: Random, last_time: str) -> None:
    assert_agreed(mutated(random, value), partition_of_sample(value), last_time)


def test_the_mutations_reach_every_verdict() -> None:
    random, seen = Random(1), Counter[str]()
    for _ in range(3000):
        value = random.choice(ENTRIES)
        seen[assert_agreed(mutated(random, value), partition_of_sample(value), EARLY)] += 1
    expected = {*PLACES, "id", "commit", "columns", "created_at", "data", "right"}
    assert {check for check, times in seen.items() if times >= 5} == expected, seen


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(ENTRIES), st.randoms(use_true_random=False), st.integers(-1, 1))
def test_all_checks_agree_on_a_mutated_entry_of_a_filtered_export(value: bytes, random: Random, last: int) -> None:
    value, partition = mutated(random, value), partition_of_sample(value)
    chain = Chain(partition, "export", partitions=PARTITIONS, is_filtered=True)
    chain.head = Head(last, "")
    slow = judge(value, Expected(partition, chain.head, "", PARTITIONS, is_filtered=True))
    finding = chain.follow(-1, value).finding
    assert (finding and finding.check) == (slow.fault and slow.fault.check)
    assert chain.head == slow.head
