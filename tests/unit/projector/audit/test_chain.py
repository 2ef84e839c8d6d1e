"""A partition followed entry by entry: each kind of fault is named, at its place, and the log goes on after it."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from daybook_contracts.entries import facts
from daybook_contracts.entries.hashing import ZERO_HASH
from daybook_projector.audit.checks import digest
from daybook_projector.audit.checks.chain import Chain, Followed
from daybook_projector.audit.checks.finding import MAX_FINDINGS, Finding, Findings
from support.chain import Json, commit_hash, entry_hash, jcs
from support.logbook import Logbook, org, project, user

ORG, ANN, BOB = org(1), user(1), user(2)
ALTERED = 2
"""The position of the entry that the tests alter: a project is made."""

GOLDEN_ENTRY = (
    b'{"action":"RENAME_ORG","actor_user_id":null,"created_at":"2026-11-22T15:10:13.123456Z",'
    b'"entity_id":"00000000-0000-4000-8000-000000000001","entity_type":"org",'
    b'"id":"01890000-0000-8daa-918b-21028f9a9b8e","metadata_json":{"command_id":"01890000-0000-7000-8000-000000000002",'
    b'"commit":"252d5a1f3d7909e5829b193049a319fccf8fbd11c6249018ec7b731ced2214c7","data":{"name":"x"},"entries":1,'
    b'"hash":"3ecd3d7a283757a7fe0b3bfa2b10018f06fd7d92d696e20a53cb442d5d062b9e",'
    b'"key":"00000000-0000-4000-8000-000000000001","ordinal":0,"partition":6,"position":0,'
    b'"prev":"0000000000000000000000000000000000000000000000000000000000000000","principal":"service:example",'
    b'"request":"1407ba1ea70a04cec140869da801f3e4b7711a6fb8314c0ae8bf901107796bf4",'
    b'"salt":"00112233445566778899aabbccddeeff","scope":"org","v":1},'
    b'"org_id":"00000000-0000-4000-8000-000000000001","project_id":null,"result":"success"}'
)
GOLDEN_DIGEST = "4f494ad83509039ae8cdddc76fdc35dfdfb537d2e82744426281d9c9aa8091a6"


def a_log() -> list[bytes]:
    log = Logbook()
    log.register(ANN)
    log.add(ORG, ANN, facts.OrgCreated(name="a"), facts.ProjectCreated(name="b", project_id=project(1)))
    log.add(ORG, ANN, facts.OrgRenamed(name="c"))
    log.refuse(ORG, ANN, "ADD_MEMBER", BOB, {"user_id": BOB})
    return [value for value in log.records[0] if value is not None]


def followed(values: list[bytes], partitions: int = 1) -> tuple[Chain, list[Followed]]:
    chain = Chain(0, "export", partitions=partitions)
    return chain, [chain.follow(-1, value) for value in values]


def findings(values: list[bytes], partitions: int = 1) -> list[Finding]:
    return [each.finding for each in followed(values, partitions)[1] if each.finding is not None]


def altered(change: Callable[[Json], None], *, sealed: bool = False) -> list[bytes]:
    """The log with one entry changed; `sealed`: with a hash that fits, and all that follow linked to it."""
    values = a_log()
    prev = None
    for at in range(ALTERED, len(values)):
        entry = json.loads(values[at])
        if at == ALTERED:
            change(entry)
        elif not sealed:
            break
        else:
            entry["metadata_json"]["prev"] = prev
        if sealed:
            entry["metadata_json"]["hash"] = prev = entry_hash(entry)
        values[at] = jcs(entry)
    return values


def test_a_right_log_has_no_findings() -> None:
    chain, entries = followed(a_log())
    assert [each.finding for each in entries] == [None] * 5
    assert [each.position for each in entries] == [0, 1, 2, 3, 4]
    assert all(each.entry is not None and each.entry.poison is None for each in entries)
    assert chain.entries == 5


def test_the_digest_has_its_golden_value() -> None:
    chain = Chain(6, "export", partitions=12)
    assert chain.follow(0, GOLDEN_ENTRY).finding is None
    rows = [digest.EMPTY] * 12
    rows[6] = chain.digest
    assert digest.of_partitions(rows).hex() == GOLDEN_DIGEST


def test_the_digest_of_any_shape_is_the_same() -> None:
    for value in a_log():
        length = len(jcs(json.loads(value)["metadata_json"]["data"]))
        assert digest.extended(digest.EMPTY, value, length) == digest.extended(digest.EMPTY, value, None)


def in_metadata(**members: Any) -> Callable[[Json], None]:
    return lambda entry: entry["metadata_json"].update(members)


def in_columns(**members: Any) -> Callable[[Json], None]:
    return lambda entry: entry.update(members)


def with_other_data(data: Any) -> Callable[[Json], None]:
    def change(entry: Json) -> None:
        metadata = entry["metadata_json"]
        metadata["data"] = data
        metadata["commit"] = commit_hash(metadata["salt"], data)

    return change


@pytest.mark.parametrize(
    ("check", "change", "sealed"),
    [
        ("partition", in_metadata(partition=1), False),
        ("position", in_metadata(position=7), False),
        ("prev", in_metadata(prev=ZERO_HASH), False),
        ("hash", in_metadata(hash=ZERO_HASH), False),
        ("hash", in_columns(action="RENAME_ORG"), False),
        ("id", in_columns(id=project(1)), True),
        ("id", in_metadata(command_id="x"), True),
        ("commit", in_metadata(data={"name": "z"}), False),
        ("commit", in_metadata(salt="ff" * 16), False),
        ("columns", in_columns(result="failure"), True),
        ("columns", in_columns(actor_user_id="ann"), True),
        ("columns", in_columns(org_id=org(2)), True),
        ("columns", in_metadata(entries=1), True),
        ("created_at", in_columns(created_at="2026-01-01T00:00:00.000000Z"), True),
        ("created_at", in_columns(created_at="yesterday"), True),
        ("data", with_other_data({"name": 1}), True),
        ("data", in_metadata(v=2), True),
        ("data", in_columns(action="PAINT_ORG"), True),
    ],
)
def test_the_first_fault_of_an_altered_entry_is_named(
    check: str, change: Callable[[Json], None], *, sealed: bool
) -> None:
    first = findings(altered(change, sealed=sealed))[0]
    assert (first.check, first.partition, first.position) == (check, 0, ALTERED)


def test_an_entry_in_a_partition_that_is_not_its_orgs_is_a_fault_of_its_columns() -> None:
    assert {each.check for each in findings(a_log(), partitions=12)} <= {"columns"}
    assert len(findings(a_log(), partitions=5)) > 0 or len(findings(a_log(), partitions=7)) > 0


@pytest.mark.parametrize(("value", "check"), [(b"garbage", "unreadable"), (b"[]", "unreadable"), (None, "canonical")])
def test_bytes_that_are_no_canonical_entry_are_named(value: bytes | None, check: str) -> None:
    values = a_log()
    values[ALTERED] = json.dumps(json.loads(values[ALTERED])).encode() if value is None else value
    first = findings(values)[0]
    assert (first.check, first.position) == (check, ALTERED)


def test_verification_goes_on_from_the_own_position_and_hash_of_the_entry_after_a_break() -> None:
    values = a_log()
    del values[ALTERED]
    (only,) = findings(values)
    assert (only.check, only.position, only.expected, only.found) == ("position", ALTERED, ALTERED, ALTERED + 1)


def test_a_redacted_entry_is_listed_and_keeps_its_hash() -> None:
    chain, entries = followed(altered(in_metadata(data=None, salt=None)))
    assert [each.finding for each in entries] == [None] * 5
    assert chain.redacted == [json.loads(a_log()[ALTERED])["id"]]
    assert chain.digest == followed(a_log())[0].digest


def test_a_report_lists_the_first_findings_and_counts_the_others() -> None:
    found = Findings()
    for position in reversed(range(3 * MAX_FINDINGS)):
        found.add(Finding(check="hash", place="topic", partition=0, position=position))
    found.extend([Finding(check="hash", place="topic", partition=1)], more=5)
    assert [each.position for each in found.listed] == list(range(MAX_FINDINGS))
    assert found.more == 2 * MAX_FINDINGS + 1 + 5
