"""Findings: their order, how many are kept, and how long values are shown."""

from hashlib import sha256

from msgspec import UNSET, UnsetType

from daybook_projector.audit.checks.finding import MAX_FINDINGS, Finding, Findings, shown
from support.chain import jcs


def test_a_report_lists_the_first_findings_and_counts_the_others() -> None:
    found = Findings()
    for position in reversed(range(3 * MAX_FINDINGS)):
        found.add(Finding(check="hash", place="topic", partition=0, position=position))
    found.extend([Finding(check="hash", place="topic", partition=1)], unlisted=5)
    assert [each.position for each in found.listed] == list(range(MAX_FINDINGS))
    assert found.unlisted == 2 * MAX_FINDINGS + 1 + 5


def test_findings_without_a_position_or_partition_come_last() -> None:
    found = Findings()
    places: list[tuple[int | UnsetType, int | UnsetType]] = [(UNSET, UNSET), (0, UNSET), (0, 2), (1, 0), (0, 1)]
    for partition, position in places:
        found.add(Finding(check="hash", place="export", partition=partition, position=position))
    assert [(each.partition, each.position) for each in found.listed] == [places[at] for at in (4, 2, 1, 3, 0)]


def test_equal_findings_keep_the_order_in_which_they_were_found() -> None:
    found = Findings()
    for at in range(2 * MAX_FINDINGS + 10):
        check = ("surplus", "hash", "canonical")[at % 3]
        found.add(Finding(check=check, place="export", partition=0, field=str(at)))  # type: ignore[arg-type]  # one of Check
    assert [each.field for each in found.listed] == [str(at) for at in range(MAX_FINDINGS)]
    assert found.unlisted == MAX_FINDINGS + 10


def test_a_value_of_more_than_200_bytes_is_shown_as_its_hash() -> None:
    assert shown("x" * 198) == "x" * 198
    assert shown("x" * 199) == "sha256:" + sha256(jcs("x" * 199)).hexdigest()
    assert shown(["é" * 99]) == "sha256:" + sha256(jcs(["é" * 99])).hexdigest()
    assert shown(None) is None
    assert shown(UNSET) is UNSET
