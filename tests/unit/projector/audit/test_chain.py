"""A partition followed entry by entry: the place of each finding, and how the chain continues after a broken entry."""

import json
from typing import Any

import pytest

from daybook_contracts.entries import facts
from daybook_contracts.log.admission import VoidReason
from daybook_projector.audit.checks import digest
from daybook_projector.audit.checks.chain import Chain, Followed
from support.altered_log import (
    ALTERED,
    LENGTH,
    REDACTED,
    Change,
    a_log,
    altered,
    in_columns,
    in_metadata,
    resealed,
    without,
)
from support.chain import jcs, partition_of
from support.chains import brief, findings, followed
from support.logbook import Logbook, org, project, thing, user

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


def metadata_of(value: bytes) -> Any:
    return json.loads(value)["metadata_json"]


def test_an_honest_log_has_no_findings() -> None:
    chain, entries = followed(a_log())
    assert [each.finding for each in entries] == [None] * LENGTH
    assert [each.position for each in entries] == list(range(LENGTH))
    assert all(each.entry is not None and each.entry.poison is None for each in entries)
    assert chain.entries == LENGTH


def test_the_digest_has_its_golden_value() -> None:
    chain = Chain(6, "export", partitions=12)
    assert chain.follow(0, GOLDEN_ENTRY).finding is None
    rows = [digest.EMPTY] * 12
    rows[6] = chain.digest
    assert digest.of_partitions(rows).hex() == GOLDEN_DIGEST


def test_both_ways_to_compute_a_row_hash_agree() -> None:
    for value in a_log():
        length = len(jcs(json.loads(value)["metadata_json"]["data"]))
        assert digest.entry_row_hash(value, length) == digest.entry_row_hash(value)


def test_an_entry_in_a_partition_other_than_its_orgs_is_a_column_fault() -> None:
    log = Logbook()
    log.add(org(1), user(1), facts.OrgCreated(name="a"))
    chain = Chain(0, "topic", partitions=12)
    finding = chain.follow(0, log.records[0][0]).finding
    assert finding is not None
    assert (finding.check, finding.field) == ("columns", "metadata_json.partition")
    assert (finding.expected, finding.found) == (partition_of(org(1), 12), 0)


def test_the_partition_is_the_last_column_rule_that_is_tried() -> None:
    chain = Chain(0, "topic", partitions=12)
    values = altered(in_columns(entity_id="x"), sealed=True)
    found = [chain.follow(0, value).finding for value in values]
    assert [each and each.field for each in found[1:]] == ["metadata_json.partition", "entity_id"] + [
        "metadata_json.partition"
    ] * 2


def test_a_removed_entry_gives_one_finding_where_it_was() -> None:
    values = a_log()
    del values[ALTERED]
    (only,) = findings(values)
    assert (only.check, only.position, only.expected, only.found) == ("position", ALTERED, ALTERED, ALTERED + 1)


def test_a_repeated_entry_gives_one_finding_at_the_position_after_it() -> None:
    values = a_log()
    values.insert(ALTERED, values[ALTERED])
    (only,) = findings(values)
    assert (only.check, only.position, only.expected, only.found) == ("position", ALTERED + 1, ALTERED + 1, ALTERED)


def test_the_first_finding_of_two_swapped_entries_is_at_their_first_position() -> None:
    values = a_log()
    values[2], values[3] = values[3], values[2]
    found = findings(values)
    assert [(each.check, each.position, each.found) for each in found] == [
        ("position", 2, 3),
        ("position", 4, 2),
        ("position", 3, 4),
    ]


def test_after_unreadable_bytes_any_prev_is_accepted() -> None:
    values = a_log()
    values[ALTERED] = b"garbage"
    assert brief(findings(values)) == [("unreadable", ALTERED)]


def test_after_unreadable_bytes_all_other_checks_are_made() -> None:
    for change, field in ((in_metadata(prev=1), "metadata_json.prev"), (in_columns(entity_type=1), "entity_type")):
        values = altered(change, sealed=True)
        values[ALTERED - 1] = b"garbage"
        first, second = findings(values)
        assert (first.check, second.check, second.field) == ("unreadable", "columns", field)


@pytest.mark.parametrize(
    "change",
    [
        without(".hash"),
        without(".position"),
        without("created_at"),
        in_metadata(position=True),
        in_metadata(position=1.5),
        in_metadata(position=-1),
        in_metadata(hash="x"),
    ],
)
def test_after_an_entry_without_a_valid_place_the_next_one_is_accepted(change: Change) -> None:
    (only,) = findings(altered(change))
    assert only.position == ALTERED


def test_an_entry_without_metadata_is_not_in_its_partition() -> None:
    (only,) = findings(altered(in_columns(metadata_json=[])))
    assert (only.check, only.position, only.expected) == ("partition", ALTERED, 0)
    assert "found" not in only.as_json()


def test_after_an_altered_hash_the_next_prev_does_not_fit() -> None:
    found = findings(altered(in_metadata(hash="ab" * 32)))
    assert brief(found) == [("hash", ALTERED), ("prev", ALTERED + 1)]
    assert (found[1].expected, found[1].found) == ("ab" * 32, metadata_of(a_log()[ALTERED])["hash"])


def test_after_a_time_that_is_too_early_the_next_time_is_compared_with_it() -> None:
    past = "2020-01-01T00:00:00.000000Z"
    found = findings(altered(in_columns(created_at=past), sealed=True))
    assert brief(found) == [("created_at", ALTERED)]
    before = json.loads(a_log()[ALTERED - 1])["created_at"]
    assert (found[0].expected, found[0].found) == (f"later than {before}", past)


def test_after_a_time_that_is_too_late_the_next_time_is_compared_with_it() -> None:
    future = "2099-01-01T00:00:00.000000Z"
    assert brief(findings(altered(in_columns(created_at=future), sealed=True))) == [("created_at", ALTERED + 1)]


def test_after_an_invalid_time_any_time_is_accepted() -> None:
    values = altered(in_columns(created_at="2099-01-01T00:00:00.000000Z"), sealed=True, at=ALTERED - 1)
    values[ALTERED] = jcs(json.loads(values[ALTERED]) | {"created_at": "soon"})
    assert brief(findings(resealed(values, ALTERED))) == [("created_at", ALTERED)]


def test_the_expected_position_never_exceeds_2_to_the_53() -> None:
    last, unplaced = (
        jcs({"metadata_json": {"partition": 0, "position": 2**53 - 1}}),
        jcs({"metadata_json": {"partition": 0}}),
    )
    found = findings([last, unplaced, unplaced, unplaced])
    assert [each.expected for each in found] == [0, 2.0**53, 2.0**53, 2.0**53]
    assert [each.position for each in found] == [0, 2.0**53, 2.0**53, 2.0**53]
    assert b'"position":9007199254740992' in jcs(found[-1].as_json())


def test_a_position_in_another_number_format_still_counts() -> None:
    values = a_log()
    values[ALTERED] = values[ALTERED].replace(b'"position":2,', b'"position":0.2e1,')
    assert brief(findings(values)) == [("canonical", ALTERED)]


def test_a_redacted_entry_is_listed_and_keeps_its_hash() -> None:
    chain, entries = followed(altered(REDACTED))
    assert [each.finding for each in entries] == [None] * LENGTH
    assert chain.redacted == [json.loads(a_log()[ALTERED])["id"]]
    assert chain.digest == followed(a_log())[0].digest


def test_a_faulty_redacted_entry_is_listed_only_if_its_fault_comes_after_the_commit() -> None:
    late, early = in_columns(entity_id="x"), in_columns(id=thing(1))
    assert len(followed(altered(REDACTED, late, sealed=True))[0].redacted) == 1
    assert followed(altered(REDACTED, early, sealed=True))[0].redacted == []
    assert followed(altered(REDACTED, early))[0].redacted == []


def test_in_the_topic_any_prev_is_accepted_after_a_record_that_was_stepped_over() -> None:
    values = a_log()
    chain = Chain(0, "topic", partitions=1)
    for value in values[:ALTERED]:
        chain.extend(0, value)
    assert chain.extend(0, b"garbage") == VoidReason.NOT_CANONICAL
    chain.step_over(0, b"garbage")
    assert chain.extend(0, values[ALTERED]) == VoidReason.WRONG_POSITION
    followed = chain.extend(0, values[ALTERED + 1])
    assert isinstance(followed, Followed)
    assert followed.finding is None


def test_after_a_certificate_the_log_continues_from_its_head() -> None:
    values = a_log()
    chain, _ = followed(values[:3])
    later = Chain(0, "export")
    later.go_on_from(chain.head, chain.digest)
    assert [later.follow(-1, value).finding for value in values[3:]] == [None, None]
    assert later.digest == followed(values)[0].digest


def test_an_altered_entry_with_a_new_hash_breaks_the_chain_after_it() -> None:
    values = altered(in_columns(project_id=project(7)))
    values[ALTERED] = resealed(values[ALTERED : ALTERED + 1], 0)[0]
    assert brief(findings(values)) == [("prev", ALTERED + 1)]
