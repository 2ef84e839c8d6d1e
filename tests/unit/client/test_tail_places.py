"""Which records of a partition the client yields: the admitted ones after its starting position."""

from uuid import UUID

import pytest

from daybook_client.kafka.tail import Place, wanted_entry
from daybook_client.positions import After
from daybook_contracts.entries.facts import OrgRenamed
from daybook_contracts.log import continuity
from daybook_contracts.log.head import GENESIS
from support.entries_by_hand import seal_by_hand
from support.logbook import Logbook, log_with, org, user


def forged_log() -> Logbook:
    """Entries 0 to 3, with void records between them: entries of another log at the same positions, copies of entries,
    and tombstones.
    """
    log, other = log_with(org(1)), log_with(org(2), users=(user(2),))
    for name in ("a", "b"):
        other.add(org(2), user(2), OrgRenamed(name=name))
        log.void(0, other.records[0][-1])
        log.add(org(1), user(1), OrgRenamed(name=name))
        log.void(0, log.records[0][-1])
        log.void(0, None)
    return log


def given(place: Place, log: Logbook, start: int = 0) -> list[int]:
    taken = [place.take(offset, value) for offset, value in enumerate(log.records[0]) if offset >= start]
    return [admitted.head.position for admitted in taken if admitted is not None]


def test_void_records_are_skipped() -> None:
    assert given(Place(0), forged_log()) == [0, 1, 2, 3]


def test_only_entries_after_the_position_are_yielded() -> None:
    assert given(Place(0, After(1)), forged_log()) == [2, 3]


def test_reading_begins_at_the_record_of_a_checkpoint() -> None:
    log, whole = forged_log(), Place(0)
    for offset, value in enumerate(log.records[0]):
        if (admitted := whole.take(offset, value)) is not None:
            head = admitted.head
            place = Place(0, After(head.position, offset, head.hash))
            assert place.next_offset == offset
            assert given(place, log, start=offset) == [each for each in range(4) if each > head.position]
            assert place.head == whole.head or head.position < 3


def test_another_record_at_a_checkpoint_is_a_changed_log() -> None:
    log, place = forged_log(), Place(0)
    offset = next(at for at, value in enumerate(log.records[0]) if place.take(at, value) and place.head.position == 1)
    for wrong in (After(1, offset, "0" * 64), After(2, offset, place.head.hash), After(1, offset - 1, place.head.hash)):
        assert wrong.offset is not None
        with pytest.raises(continuity.LogChanged):
            given(Place(0, wrong), log, start=wrong.offset)


def test_a_log_that_ends_before_a_checkpoint_is_a_changed_log() -> None:
    place = Place(0, After(1, 7, "0" * 64))
    place.check_bounds(0, 8)
    for start, end in ((0, 7), (1, 8)):
        with pytest.raises(continuity.LogChanged):
            place.check_bounds(start, end)


def test_without_a_position_only_entries_from_the_first_offset_on_are_yielded() -> None:
    assert given(Place(0, first_offset=4), forged_log()) == [3]


def test_reading_continues_at_the_next_offset() -> None:
    log, place = forged_log(), Place(0)
    assert [place.take(offset, log.records[0][offset]) is not None for offset in range(4)] == [True, True, False, True]
    assert place.next_offset == 4
    assert given(place, log, start=place.next_offset) == [3]


def test_too_many_void_records_in_a_row_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(continuity, "MAX_VOIDS_IN_A_ROW", 2)
    place = Place(0)
    place.take(0, b"x")
    with pytest.raises(continuity.LogChanged):
        place.take(1, b"x")


def test_only_the_entries_of_the_org_are_yielded() -> None:
    place, log = Place(0), log_with(org(1), org(2))
    admitted = [each for offset, value in enumerate(log.records[0]) if (each := place.take(offset, value)) is not None]
    found = [[wanted_entry(each, 0, org_id) for each in admitted] for org_id in (None, UUID(org(1)), UUID(org(2)))]
    assert [[entry.position for entry in of_one if entry is not None] for of_one in found] == [
        ["0.0", "0.1", "0.2"],
        ["0.1"],
        ["0.2"],
    ]


def test_an_admitted_record_without_an_entrys_columns_is_left_out_with_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    strange = seal_by_hand({"metadata_json": {"partition": 0, "position": 0, "prev": GENESIS.hash}})
    admitted = Place(0).take(0, strange)
    assert admitted is not None
    assert wanted_entry(admitted, 0, None) is None
    assert [(record.message, vars(record)["position"]) for record in caplog.records] == [("entry_unreadable", "0.0")]
