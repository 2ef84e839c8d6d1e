"""Each check of an entry and each rule of its columns, with what the finding says (docs/verify.md)."""

import json
from hashlib import sha256
from typing import Any

import pytest

from daybook_contracts.entries.hashing import ZERO_HASH
from daybook_projector.audit.checks.chain import Chain
from support.altered_log import (
    ALTERED,
    ANN,
    BOB,
    ORG,
    REDACTED,
    Change,
    a_log,
    altered,
    in_columns,
    in_metadata,
    with_other_data,
    without,
)
from support.chain import Json, commit_hash, entry_hash, entry_id, jcs
from support.logbook import project

ENTRY = json.loads(a_log()[ALTERED])
METADATA = ENTRY["metadata_json"]
SALT = METADATA["salt"]
REFUSED = 4
"""The position of an entry of a refused command."""


def finding_at(position: int, values: list[bytes]) -> Json:
    """What the entry's finding says, without its place."""
    chain = Chain(0, "export")
    found = [chain.follow(-1, value).finding for value in values][position]
    assert found is not None
    said = found.as_json()
    place = {name: said.pop(name) for name in ("place", "partition", "position")}
    assert place == {"place": "export", "partition": 0, "position": position}
    return said


def finding(*changes: Change, sealed: bool = True) -> Json:
    """The same without the id."""
    said = finding_at(ALTERED, altered(*changes, sealed=sealed))
    said.pop("id", None)
    return said


def in_scope(scope: str, actor: str | None = None, key: str = ORG) -> Change:
    """In another scope, with the id that fits."""

    def change(entry: Json) -> None:
        metadata = entry["metadata_json"]
        metadata |= {"scope": scope, "key": key}
        entry["id"] = entry_id(key, metadata["command_id"], metadata["ordinal"], scope, actor)

    return change


FAILED = (in_columns(result="failure"), in_metadata(error={"code": "FORBIDDEN", "detail": "No."}))


@pytest.mark.parametrize("value", [b"", b"garbage", b"[]", b"null", b'{"a":NaN}', b"\xef\xbb\xbf{}", b'{"a":"\xff"}'])
def test_what_is_not_a_json_object_is_unreadable(value: bytes) -> None:
    values = a_log()
    values[ALTERED] = value
    assert finding_at(ALTERED, values) == {"check": "unreadable"}


def test_what_is_nested_deeper_than_512_is_unreadable() -> None:
    def nested(depth: int) -> Json:
        inner = b"[" * depth + b"]" * depth
        return finding_at(0, [b'{"metadata_json":{"partition":1,"x":%b}}' % inner])

    assert nested(511) == {"check": "unreadable"}
    assert nested(510) == {"check": "partition", "expected": 0, "found": 1}


@pytest.mark.parametrize(
    "other", [b'{"b":1,"a":1}', b'{"a":1,"a":1}', b'{"a":1.0}', b'{"a":1e400}', b'{"a":"\\ud800"}']
)
def test_what_is_not_canonical_is_named_so(other: bytes) -> None:
    values = a_log()
    values[ALTERED] = other
    assert finding_at(ALTERED, values) == {"check": "canonical"}


def test_the_id_of_a_line_is_given_only_if_it_is_a_uuid() -> None:
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
def test_a_fault_of_place_hash_or_commit_says_what_was_expected_and_found(change: Change, said: Json) -> None:
    assert finding(change, sealed=False) == said


def test_an_altered_column_gives_another_hash() -> None:
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
def test_an_id_that_cannot_be_computed_is_a_fault_without_an_expected_one(changes: list[Change]) -> None:
    assert finding(*changes) == {"check": "id", "found": ENTRY["id"]}


def test_an_id_that_is_not_the_first_id_is_a_fault() -> None:
    assert finding(in_columns(id=project(1))) == {
        "check": "id",
        "expected": ENTRY["id"],
        "found": project(1),
    }
    assert finding(without("id")) == {"check": "id", "expected": ENTRY["id"]}


def test_the_actor_of_an_outsiders_entry_is_the_column_or_else_that_of_its_data() -> None:
    claimed = with_other_data({"actor_user_id": BOB})
    rules = (*FAILED, in_columns(actor_user_id=None), claimed, in_scope("outsider", BOB))
    chain = Chain(0, "export")
    assert [chain.follow(-1, value).finding for value in altered(*rules, sealed=True)] == [None] * 5
    assert finding(*rules, in_columns(result="success"))["field"] == "metadata_json.error"
    assert finding(*FAILED, claimed, in_scope("outsider", BOB))["check"] == "id"


def at_fault(field: str, found: Any) -> Json:
    return {"check": "columns", "field": field, "found": found}


@pytest.mark.parametrize(
    ("changes", "field", "found"),
    [
        ([in_metadata(v=2)], "metadata_json.v", 2),
        ([in_metadata(v=True)], "metadata_json.v", True),
        ([REDACTED, in_metadata(commit=None)], "metadata_json.commit", None),
        ([in_metadata(principal=None)], "metadata_json.principal", None),
        ([in_metadata(request=1)], "metadata_json.request", 1),
        ([in_columns(action="PAINT_ORG")], "action", "PAINT_ORG"),
        ([in_columns(action=["RENAME_ORG"])], "action", ["RENAME_ORG"]),
        ([*FAILED, in_columns(action="ESCALATE_ALERT")], "action", "ESCALATE_ALERT"),
        ([in_columns(result="maybe")], "result", "maybe"),
        ([in_columns(entity_type=None)], "entity_type", None),
        ([in_columns(entity_id=None)], "entity_id", None),
        ([in_columns(entity_id=ORG.upper())], "entity_id", ORG.upper()),
        ([in_columns(org_id=None)], "org_id", None),
        ([*FAILED, in_columns(org_id="x")], "org_id", "x"),
        ([in_columns(project_id="x")], "project_id", "x"),
        ([in_columns(project_id=ORG + "\n")], "project_id", ORG + "\n"),
        ([in_columns(actor_user_id=0)], "actor_user_id", 0),
        ([in_metadata(error=None)], "metadata_json.error", None),
        ([in_columns(result="failure"), in_metadata(error="x")], "metadata_json.error", "x"),
        ([in_columns(result="failure"), in_metadata(error={"code": "x"})], "metadata_json.error", {"code": "x"}),
        (
            [in_columns(result="failure"), in_metadata(error={"code": "x", "detail": 1})],
            "metadata_json.error",
            {"code": "x", "detail": 1},
        ),
        ([in_metadata(entries=1)], "metadata_json.entries", 1),
        ([in_metadata(entries=1001)], "metadata_json.entries", 1001),
        ([in_metadata(entries="2")], "metadata_json.entries", "2"),
        ([in_scope("outsider", ANN)], "metadata_json.scope", "outsider"),
        ([in_scope("user")], "metadata_json.scope", "user"),
        ([in_columns(action="REGISTER_USER")], "metadata_json.scope", "org"),
        ([in_columns(org_id=project(9))], "metadata_json.key", ORG),
        ([in_columns(action="REGISTER_USER"), in_scope("user")], "metadata_json.key", ORG),
        ([*FAILED, in_columns(org_id=None)], "metadata_json.key", ORG),
        ([*FAILED, in_columns(org_id=None), with_other_data([])], "metadata_json.key", ORG),
    ],
)
def test_the_first_rule_of_the_columns_that_does_not_hold_is_named(
    changes: list[Change], field: str, found: Any
) -> None:
    assert finding(*changes) == at_fault(field, found)


def test_the_rules_of_the_columns_are_tried_in_order() -> None:
    broken = [
        ("metadata_json.v", in_metadata(v=0)),
        ("metadata_json.principal", in_metadata(principal=0)),
        ("metadata_json.request", in_metadata(request=0)),
        ("action", in_columns(action="X")),
        ("result", in_columns(result="X")),
        ("entity_type", in_columns(entity_type=0)),
        ("entity_id", in_columns(entity_id="X")),
        ("org_id", in_columns(org_id="X")),
        ("project_id", in_columns(project_id="X")),
        ("actor_user_id", in_columns(actor_user_id="X")),
        ("metadata_json.error", in_metadata(error={"code": "X"})),
        ("metadata_json.entries", in_metadata(entries=0)),
        ("metadata_json.scope", in_scope("user")),
        ("metadata_json.key", in_columns(org_id=project(9))),
    ]
    for at, (field, _) in enumerate(broken):
        changes = [change for _, change in reversed(broken[at:])]
        assert finding(*changes)["field"] == field


@pytest.mark.parametrize(
    ("gone", "field"),
    [
        ("entity_type", "entity_type"),
        ("org_id", "org_id"),
        ("project_id", "project_id"),
        ("actor_user_id", "actor_user_id"),
        (".principal", "metadata_json.principal"),
        (".entries", "metadata_json.entries"),
        (".v", "metadata_json.v"),
    ],
)
def test_a_member_that_is_absent_is_a_fault_without_what_was_found(gone: str, field: str) -> None:
    assert finding(without(gone)) == {"check": "columns", "field": field}


def test_a_long_value_is_shown_as_its_hash() -> None:
    long = "x" * 300
    assert finding(in_columns(result=long)) == at_fault("result", "sha256:" + sha256(jcs(long)).hexdigest())


@pytest.mark.parametrize("change", [in_columns(more=1), in_metadata(more=None)])
def test_unknown_members_are_a_fault_of_no_field(change: Change) -> None:
    assert finding(change) == {"check": "columns"}


def test_the_rules_come_before_unknown_members() -> None:
    assert finding(in_columns(more=1), in_metadata(v=3)) == at_fault("metadata_json.v", 3)


def test_a_redacted_user_belongs_to_no_org() -> None:
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
def test_what_is_not_a_time_is_a_fault_of_created_at(found: Any) -> None:
    assert finding(in_columns(created_at=found)) == {"check": "created_at", "found": found}


def test_the_same_time_is_not_later() -> None:
    before = json.loads(a_log()[ALTERED - 1])["created_at"]
    assert finding(in_columns(created_at=before)) == {
        "check": "created_at",
        "expected": f"later than {before}",
        "found": before,
    }


@pytest.mark.parametrize("data", [None, [], "x", {"name": 1, "project_id": project(1)}, {"name": "x"}])
def test_data_that_cannot_be_read_is_a_fault_that_quotes_nothing(data: Any) -> None:
    assert finding(with_other_data(data)) == {"check": "data"}


def test_a_failures_data_is_any_object() -> None:
    assert finding_at(REFUSED, altered(with_other_data([]), sealed=True, at=REFUSED)) == {
        "check": "data",
        "id": json.loads(a_log()[REFUSED])["id"],
    }
    chain = Chain(0, "export")
    values = altered(with_other_data({"x": 1}), sealed=True, at=REFUSED)
    assert [chain.follow(-1, value).finding for value in values] == [None] * 5
