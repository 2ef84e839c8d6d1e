"""The entries of a filtered export have no chain: each is checked alone, and their positions must rise."""

import json

from daybook_contracts.entries.hashing import ZERO_HASH
from support.altered_log import ALTERED, a_log, altered, in_columns, in_metadata
from support.chains import brief, findings, followed
from support.logbook import project


def chosen(*positions: int) -> list[bytes]:
    return [a_log()[position] for position in positions]


def test_a_filtered_export_has_no_chain() -> None:
    chain, entries = followed(chosen(1, 2, 4), is_filtered=True)
    assert [each.finding for each in entries] == [None] * 3
    assert (chain.entries, chain.head.position) == (3, 4)
    assert findings(altered(in_metadata(prev=ZERO_HASH), sealed=True)[2:], is_filtered=True) == []


def test_positions_of_a_filtered_export_must_rise() -> None:
    found = findings(chosen(2, 1, 3, 3), is_filtered=True)
    assert [(each.check, each.position, each.expected, each.found) for each in found] == [
        ("position", 1, "above 2", 1),
        ("position", 3, "above 3", 3),
    ]


def test_in_a_filtered_export_entries_without_a_position_have_findings_without_one() -> None:
    (only,) = findings(altered(in_metadata(position="x"))[2:], is_filtered=True)
    assert only.as_json() == {
        "check": "position",
        "place": "export",
        "partition": 0,
        "id": json.loads(a_log()[2])["id"],
        "found": "x",
    }


def test_after_unreadable_bytes_in_a_filtered_export_the_last_position_stays() -> None:
    found = findings([*chosen(2), b"garbage", *chosen(2)], is_filtered=True)
    assert [(each.check, each.expected) for each in found][1:] == [("position", "above 2")]
    assert "position" not in found[0].as_json()


def test_each_entry_of_a_filtered_export_is_checked_alone() -> None:
    values = altered(in_columns(entity_type=1), sealed=True)[2:]
    assert brief(findings(values, is_filtered=True)) == [("columns", ALTERED)]
    values = altered(in_columns(project_id=project(7)))[2:]
    assert brief(findings(values, is_filtered=True)) == [("hash", ALTERED)]
    early = altered(in_columns(created_at="2020-01-01T00:00:00.000000Z"), sealed=True)[1:]
    assert brief(findings(early, is_filtered=True)) == [("created_at", ALTERED)]
