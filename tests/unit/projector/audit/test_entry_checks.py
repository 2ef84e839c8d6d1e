"""Each check of an entry, with the content of its finding (docs/verify.md)."""

import json
from typing import Any

import pytest

from daybook_contracts.entries.hashing import ZERO_HASH
from daybook_projector.audit.checks.chain import Chain
from support.altered_log import (
    ALTERED,
    BOB,
    FAILED,
    ORG,
    REDACTED,
    Change,
    a_log,
    altered,
    finding,
    finding_at,
    in_columns,
    in_metadata,
    in_scope,
    with_other_data,
    without,
)
from support.chain import Json, commit_hash, entry_hash
from support.logbook import project

ENTRY = json.loads(a_log()[ALTERED])
METADATA = ENTRY["metadata_json"]
SALT = METADATA["salt"]
REFUSED = 4
"""The position of an entry of a refused command."""


@pytest.mark.parametrize("value", [b"", b"garbage", b"[]", b"null", b'{"a":NaN}', b"\xef\xbb\xbf{}", b'{"a":"\xff"}'])
def test_bytes_that_are_not_a_json_object_are_unreadable(value: bytes) -> None:
    values = a_log()
    values[ALTERED] = value
    assert finding_at(ALTERED, values) == {"check": "unreadable"}


def test_an_object_nested_deeper_than_512_is_unreadable() -> None:
    def nested(depth: int) -> Json:
        inner = b"[" * depth + b"]" * depth
        return finding_at(0, [b'{"metadata_json":{"partition":1,"x":%b}}' % inner])

    assert nested(511) == {"check": "unreadable"}
    assert nested(510) == {"check": "partition", "expected": 0, "found": 1}


@pytest.mark.parametrize(
    "other", [b'{"b":1,"a":1}', b'{"a":1,"a":1}', b'{"a":1.0}', b'{"a":1e400}', b'{"a":"\\ud800"}']
)
def test_bytes_that_are_not_canonical_are_a_fault(other: bytes) -> None:
    values = a_log()
    values[ALTERED] = other
    assert finding_at(ALTERED, values) == {"check": "canonical"}


def test_a_finding_has_the_entrys_id_only_if_it_is_a_uuid() -> None:
    values = a_log()
    values[ALTERED] = json.dumps(ENTRY).encode()
    assert finding_at(ALTERED, values) == {"check": "canonical", "id": ENTRY["id"]}
    assert "id" not in finding_at(ALTERED, altered(in_columns(id="x"), sealed=True))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (in_metadata(partition=1), {"check": "partition", "expected": 0, "found": 1}),
        (in_metadata(partition=False), {"check": "partition", "expected": 0, "found": False}),
        (without(".partition"), {"check": "partition", "expected": 0}),
        (in_metadata(position=7), {"check": "position", "expected": ALTERED, "found": 7}),
        (in_metadata(position=None), {"check": "position", "expected": ALTERED, "found": None}),
        (in_metadata(prev=ZERO_HASH), {"check": "prev", "expected": METADATA["prev"], "found": ZERO_HASH}),
        (in_metadata(prev=[]), {"check": "prev", "expected": METADATA["prev"], "found": []}),
        (in_metadata(hash=ZERO_HASH), {"check": "hash", "expected": METADATA["hash"], "found": ZERO_HASH}),
        (without(".hash"), {"check": "hash", "expected": METADATA["hash"]}),
        (
            in_metadata(data={"name": "z"}),
            {"check": "commit", "expected": commit_hash(SALT, {"name": "z"}), "found": METADATA["commit"]},
        ),
        (in_metadata(salt="FF" * 16), {"check": "commit", "found": METADATA["commit"]}),
        (in_metadata(salt=None), {"check": "commit", "found": METADATA["commit"]}),
        (without(".data"), {"check": "commit", "found": METADATA["commit"]}),
    ],
)
def test_a_fault_of_place_hash_or_commit_has_the_expected_and_found_values(change: Change, said: Json) -> None:
    assert finding(change, sealed=False) == said


def test_an_altered_column_is_a_fault_of_the_hash() -> None:
    expected = entry_hash(ENTRY | {"entity_type": "org"})
    assert finding(in_columns(entity_type="org"), sealed=False) == {
        "check": "hash",
        "expected": expected,
        "found": METADATA["hash"],
    }


@pytest.mark.parametrize(
    "changes",
    [
        [in_metadata(scope="tenant")],
        [in_metadata(scope=["org"])],
        [in_metadata(key=ORG.upper())],
        [in_metadata(command_id="x")],
        [in_metadata(ordinal=-1)],
        [in_metadata(ordinal=2**32)],
        [in_metadata(ordinal=True)],
        [without(".ordinal")],
        [in_metadata(scope="outsider"), without("actor_user_id")],
        [in_metadata(scope="outsider"), in_columns(actor_user_id=None)],
        [in_metadata(scope="outsider"), in_columns(actor_user_id=None), REDACTED],
    ],
)
def test_an_id_that_cannot_be_computed_is_a_fault_without_an_expected_value(changes: list[Change]) -> None:
    assert finding(*changes) == {"check": "id", "found": ENTRY["id"]}


def test_an_id_that_is_not_the_first_id_is_a_fault() -> None:
    assert finding(in_columns(id=project(1))) == {
        "check": "id",
        "expected": ENTRY["id"],
        "found": project(1),
    }
    assert finding(without("id")) == {"check": "id", "expected": ENTRY["id"]}


def test_the_actor_of_an_outsiders_entry_comes_from_the_column_or_the_data() -> None:
    claimed = with_other_data({"actor_user_id": BOB})
    rules = (*FAILED, in_columns(actor_user_id=None), claimed, in_scope("outsider", BOB))
    chain = Chain(0, "export")
    assert [chain.follow(-1, value).finding for value in altered(*rules, sealed=True)] == [None] * 5
    assert finding(*rules, in_columns(result="success"))["field"] == "metadata_json.error"
    assert finding(*FAILED, claimed, in_scope("outsider", BOB))["check"] == "id"


def test_a_redacted_registration_has_no_org() -> None:
    chain = Chain(0, "export")
    values = altered(REDACTED, sealed=True, at=0)
    assert [chain.follow(-1, value).finding for value in values] == [None] * 5
    assert len(chain.redacted) == 1


def test_a_redacted_failure_on_no_org_may_have_any_key() -> None:
    chain = Chain(0, "export")
    values = altered(REDACTED, in_columns(org_id=None), sealed=True, at=REFUSED)
    assert [chain.follow(-1, value).finding for value in values] == [None] * 5
    assert len(chain.redacted) == 1


@pytest.mark.parametrize("found", ["yesterday", "2026-02-29T00:00:00.000000Z", "0000-01-01T00:00:00.000000Z", 1, None])
def test_an_invalid_time_is_a_fault_of_created_at(found: Any) -> None:
    assert finding(in_columns(created_at=found)) == {"check": "created_at", "found": found}


def test_the_same_time_is_not_later() -> None:
    before = json.loads(a_log()[ALTERED - 1])["created_at"]
    assert finding(in_columns(created_at=before)) == {
        "check": "created_at",
        "expected": f"later than {before}",
        "found": before,
    }


@pytest.mark.parametrize("data", [None, [], "x", {"name": 1, "project_id": project(1)}, {"name": "x"}])
def test_unreadable_data_is_a_fault_without_values(data: Any) -> None:
    assert finding(with_other_data(data)) == {"check": "data"}


def test_the_data_of_a_failure_may_be_any_object() -> None:
    assert finding_at(REFUSED, altered(with_other_data([]), sealed=True, at=REFUSED)) == {
        "check": "data",
        "id": json.loads(a_log()[REFUSED])["id"],
    }
    chain = Chain(0, "export")
    values = altered(with_other_data({"x": 1}), sealed=True, at=REFUSED)
    assert [chain.follow(-1, value).finding for value in values] == [None] * 5
