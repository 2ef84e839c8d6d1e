"""The moment of a replay: what people type, and what is refused with advice."""

import pytest

from daybook_contracts.timestamps import timestamp
from daybook_projector.audit.replay.as_of import MalformedMoment, read_as_of

MOMENT = "2026-11-22T15:10:13.000000Z"


@pytest.mark.parametrize(
    ("word", "read"),
    [
        ("2026-11-22T15:10:13Z", MOMENT),
        ("2026-11-22t15:10:13z", MOMENT),
        ("2026-11-22 15:10:13Z", MOMENT),
        (" 2026-11-22 15:10:13 UTC ", MOMENT),
        ("2026-11-22T16:10:13+01:00", MOMENT),
        ("2026-11-22T10:40:13-0430", MOMENT),
        ("2026-11-23T00:10:13+09:00", MOMENT),
        ("2026-11-22 15:10Z", "2026-11-22T15:10:00.000000Z"),
        ("2026-11-22T15:10:13.5Z", "2026-11-22T15:10:13.500000Z"),
        ("2026-11-22T15:10:13.123456Z", "2026-11-22T15:10:13.123456Z"),
        ("2026-11-22T15:10:13.1234569Z", "2026-11-22T15:10:13.123456Z"),
    ],
)
def test_a_time_is_read_in_the_forms_that_people_type(word: str, read: str) -> None:
    found = read_as_of([word], 12)
    assert found.positions == {}
    assert found.time is not None
    assert timestamp(found.time) == read


def test_positions_can_be_given_with_or_without_a_time() -> None:
    alone = read_as_of(["3.1042", "11.0"], 12)
    assert (alone.time, alone.positions) == (None, {3: 1042, 11: 0})
    both = read_as_of(["3.1042", MOMENT], 12)
    assert (both.time, both.positions) == (read_as_of([MOMENT], 12).time, {3: 1042})


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        (["2026-11-22T15:10:13"], "does not say in which time zone.*add Z"),
        (["2026-11-22"], "is a whole day: add the time of day"),
        (["2026-02-30T15:10:13Z"], "not a valid time"),
        (["2026-11-22T24:10:13Z"], "not a valid time"),
        (["yesterday"], "neither a time.*nor a position"),
        (["3"], "neither a time.*nor a position"),
        (["3.-1"], "neither a time.*nor a position"),
        (["\u0663.\u0661"], "neither a time.*nor a position"),
        (["12.0"], "only partitions 0 to 11"),
        (["3.1", "3.2"], "partition 3 has a position already, 1"),
        ([MOMENT, MOMENT], "one time only"),
    ],
)
def test_anything_else_is_refused_with_advice(words: list[str], advice: str) -> None:
    with pytest.raises(MalformedMoment, match=advice):
        read_as_of(words, 12)
