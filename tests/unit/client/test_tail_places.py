"""Which records of a partition's log the client gives: those that are part of the log, after its start."""

import pytest

from daybook_client.kafka.tail import Place
from daybook_contracts.entries.facts import OrgRenamed
from daybook_contracts.log import continuity
from support.logbook import Logbook, log_with, org, user


def forged_log() -> Logbook:
    """Entries 0 to 3, with forged records between them: each is an entry of another log, at the position that is next,
    or what is there already.
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


def test_void_records_never_show() -> None:
    assert given(Place(0), forged_log()) == [0, 1, 2, 3]


def test_only_entries_after_the_position_show() -> None:
    assert given(Place(0, after=1), forged_log()) == [2, 3]


def test_only_entries_that_come_later_show_without_a_position() -> None:
    assert given(Place(0, first_offset=4), forged_log()) == [3]


def test_it_goes_on_where_it_was() -> None:
    log, place = forged_log(), Place(0)
    assert [place.take(offset, log.records[0][offset]) is not None for offset in range(4)] == [True, True, False, True]
    assert place.next_offset == 4
    assert given(place, log, start=place.next_offset) == [3]


def test_a_log_that_does_not_go_on_is_not_followed_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(continuity, "MAX_VOIDS_IN_A_ROW", 2)
    place = Place(0)
    place.take(0, b"x")
    with pytest.raises(continuity.LogChanged):
        place.take(1, b"x")
