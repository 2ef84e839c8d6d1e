"""The admission rule: every reason why a record is void, and entries of any shape. The fast path and the generic path
give the same result.
"""

from collections.abc import Callable
from math import isfinite

import orjson
import pytest
import rfc8785
from hypothesis import example, given
from hypothesis import strategies as st

from daybook_contracts.entries.facts import ENTRY_DATA
from daybook_contracts.log.admission import Admitted, VoidReason, admit, admit_generic
from daybook_contracts.log.head import GENESIS, Head
from support.chain import Json
from support.entries_by_hand import changed, seal_by_hand, with_data, with_member
from support.entry_samples import samples, unsealed
from support.flat_entries import seal_flat
from support.json_values import doubles, json_objects, json_values, texts

RENAMED = samples()["RENAME_ORG.v1.json"]
VALUES = [sample.value for sample in samples().values()]


def admit_both(head: Head, partition: int, value: bytes) -> Head | VoidReason:
    admitted = admit(head, partition, value)
    verdict = admitted.head if isinstance(admitted, Admitted) else admitted
    assert verdict == admit_generic(head, partition, value)
    return verdict


def test_a_record_that_extends_the_log_moves_its_head() -> None:
    head = GENESIS
    for position, action in enumerate(ENTRY_DATA):
        value, following = seal_flat(unsealed(action) | {"partition": 6}, head)
        assert admit_both(head, 6, value) == following
        assert following.position == position
        head = following


def test_the_same_record_a_second_time_is_void() -> None:
    assert admit_both(RENAMED.head, 6, RENAMED.value) is VoidReason.WRONG_POSITION


def test_a_second_record_for_the_same_position_is_void() -> None:
    rival = seal_flat(unsealed("CREATE_PROJECT"))
    follower = seal_flat(unsealed("CREATE_PROJECT"), rival.head)
    assert admit_both(RENAMED.head, 6, rival.value) is VoidReason.WRONG_POSITION
    assert admit_both(RENAMED.head, 6, follower.value) is VoidReason.WRONG_PREV


def test_a_record_of_another_partition_is_void() -> None:
    assert admit_both(GENESIS, 7, RENAMED.value) is VoidReason.WRONG_PARTITION


@pytest.mark.parametrize("value", [b"", b"null", b"[]", b"1", b"\x00\xff", b"{", RENAMED.value[:-1]])
def test_a_value_that_is_not_a_json_object_is_void(value: bytes) -> None:
    assert admit_both(GENESIS, 6, value) is VoidReason.NOT_CANONICAL


def test_a_tombstone_is_void() -> None:
    assert admit(GENESIS, 6, None) is VoidReason.NOT_CANONICAL


def test_a_non_canonical_encoding_of_an_entry_is_void() -> None:
    for other in (b" " + RENAMED.value, RENAMED.value.replace(b":", b": ", 1), RENAMED.value.replace(b"x", b"\\u0078")):
        assert admit_both(GENESIS, 6, other) is VoidReason.NOT_CANONICAL


@pytest.mark.parametrize(
    ("reason", "change"),
    [
        (VoidReason.WRONG_PARTITION, with_member("metadata_json", {})),
        (VoidReason.WRONG_PARTITION, with_member(".partition", "6")),
        (VoidReason.WRONG_POSITION, with_member(".position", False)),
        (VoidReason.WRONG_POSITION, with_member(".position", None)),
        (VoidReason.WRONG_POSITION, with_member(".position", 1)),
        (VoidReason.WRONG_POSITION, with_member(".position", 0.5)),
        (VoidReason.WRONG_PREV, with_member(".prev", "1" * 64)),
        (VoidReason.WRONG_PREV, with_member(".prev", 0)),
    ],
)
def test_a_record_that_does_not_continue_the_log_is_void(reason: VoidReason, change: Callable[[Json], None]) -> None:
    assert admit_both(GENESIS, 6, changed(RENAMED.value, change)) is reason


def test_true_is_not_accepted_as_position_1() -> None:
    follower = seal_flat(unsealed("CREATE_PROJECT"), RENAMED.head)
    value = changed(follower.value, with_member(".position", member=True))
    assert admit_both(RENAMED.head, 6, value) is VoidReason.WRONG_POSITION


def test_true_is_not_accepted_as_partition_1() -> None:
    value = seal_flat(unsealed("RENAME_ORG") | {"partition": 1}).value
    assert isinstance(admit_both(GENESIS, 1, value), Head)
    claimed = changed(value, with_member(".partition", member=True))
    assert admit_both(GENESIS, 1, claimed) is VoidReason.WRONG_PARTITION


@pytest.mark.parametrize("name", [b"action", b"created_at", b"principal", b"commit", b"request", b"hash"])
def test_a_change_without_a_new_hash_is_void(name: bytes) -> None:
    at = RENAMED.value.index(b'"' + name + b'":"') + len(name) + 4
    value = RENAMED.value[:at] + b"0" + RENAMED.value[at + 1 :]
    assert admit_both(GENESIS, 6, value) is VoidReason.WRONG_HASH


def test_the_hash_does_not_cover_data_and_salt() -> None:
    redacted = changed(RENAMED.value, with_member(".data", None))
    redacted = changed(redacted, with_member(".salt", None))
    assert admit_both(GENESIS, 6, redacted) == RENAMED.head


@pytest.mark.parametrize(
    "change",
    [
        with_member(".v", 2),
        with_member("action", "MOVE_MOON"),
        with_member("id", 7),
        with_member("region", {"\ue000": 1e20, "\U00010000": [1.0, 2.5, -0.0]}),
        with_member(".shape", 1e300),
        with_data([1e21, 1e16, 123456789012345680000.0]),
        with_data({"data": {"hash": "x", "salt": "y"}, "hash": "z"}),
        with_member(".error", {"code": '","hash":"', "detail": '","data":{'}),
        with_member(".salt", '"\\\n'),
    ],
)
def test_other_fields_do_not_affect_admission(change: Callable[[Json], None]) -> None:
    assert isinstance(admit_both(GENESIS, 6, changed(RENAMED.value, change)), Head)


def test_any_object_that_continues_the_log_is_admitted() -> None:
    value = seal_by_hand({"metadata_json": {"partition": 6, "position": 0, "prev": GENESIS.hash}})
    assert isinstance(admit_both(GENESIS, 6, value), Head)


@pytest.mark.parametrize(("depth", "is_void"), [(200, False), (400, False), (510, False), (511, True), (900, True)])
def test_nesting_beyond_512_is_void(depth: int, *, is_void: bool) -> None:
    value = RENAMED.value.replace(b'{"name":"x"}', b"[" * depth + b"]" * depth)
    assert (admit_both(GENESIS, 6, value) is VoidReason.NOT_CANONICAL) is is_void


@pytest.mark.parametrize("depth", [5_000, 200_000])
def test_an_extremely_deep_record_is_void(depth: int) -> None:
    value = RENAMED.value.replace(b'{"name":"x"}', b"[" * depth + b"]" * depth)
    assert admit_both(GENESIS, 6, value) is VoidReason.NOT_CANONICAL


@given(st.sampled_from(VALUES), st.data())
def test_both_paths_agree_on_mutated_bytes(value: bytes, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(value)))
    stop = data.draw(st.integers(start, min(start + 3, len(value))))
    mutated = (
        value[:start]
        + data.draw(st.binary(max_size=3) | st.sampled_from([b" ", b"0", b"1", b"-", b".0", b'"']))
        + value[stop:]
    )
    admit_both(GENESIS, 6, mutated)


def test_both_paths_agree_on_every_spelling_of_doubles_of_every_range() -> None:
    for number in doubles(0):
        for text in {orjson.dumps(number), repr(number).encode(), b"%.17g" % number}:
            admit_both(GENESIS, 6, RENAMED.value.replace(b'{"name":"x"}', b'{"price":%b}' % text))


def test_entries_with_canonical_doubles_of_every_range_are_admitted() -> None:
    draft = unsealed("RECORD_DLQ_EVENT")
    for number in filter(isfinite, doubles(0)):
        value = seal_flat(draft | {"data": rfc8785.dumps({"price": number})}).value
        assert isinstance(admit_both(GENESIS, draft["partition"], value), Head), number.hex()


places = st.fixed_dictionaries(
    {},
    optional={
        "partition": st.sampled_from([6, 6.5, "6", None, True]) | json_values(3),
        "position": st.sampled_from([0, 1, False]) | json_values(3),
        "prev": st.sampled_from([GENESIS.hash, "", None]),
        "hash": st.sampled_from([GENESIS.hash, None]),
        "data": json_values(),
        "salt": st.none() | texts,
        "v": st.integers(0, 2) | json_values(3),
    },
)


@given(st.sampled_from(VALUES), json_objects(3), places, json_objects(3))
@example(RENAMED.value, {}, {}, {})
def test_both_paths_agree_on_entries_of_any_shape(value: bytes, columns: Json, place: Json, more: Json) -> None:
    def change(entry: Json) -> None:
        entry |= columns
        if isinstance(entry.get("metadata_json"), dict):
            entry["metadata_json"] |= more | place

    admit_both(GENESIS, 6, changed(value, change))
