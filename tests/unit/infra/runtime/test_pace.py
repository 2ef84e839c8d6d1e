"""The pause between fetches, with a clock that the test moves."""

from daybook_infra.runtime.kafka.paced_fetching import Pace


class Clock:
    at = 100.0

    def now(self) -> float:
        return self.at


def test_a_pause_lasts_its_seconds_and_records_within_it_do_not_prolong_it() -> None:
    clock = Clock()
    pace = Pace(8, clock.now)
    assert pace.rest() == 0
    pace.begin()
    assert pace.rest() == 8
    clock.at += 6
    pace.begin()
    assert pace.rest() == 2
    clock.at += 2
    assert pace.rest() == 0


def test_records_after_a_quiet_time_begin_a_new_pause() -> None:
    clock = Clock()
    pace = Pace(8, clock.now)
    pace.begin()
    clock.at += 20
    assert pace.rest() < 0
    pace.begin()
    assert pace.rest() == 8


def growing(clock: Clock) -> Pace:
    """A pause of 8 s that grows with the rate of records, up to 20 s at 10 records a second."""
    return Pace(8, clock.now, longest=20, dense=10)


def pauses(pace: Pace, clock: Clock, *records: int) -> list[float]:
    """The lengths of consecutive pauses. `records`: how many arrive before each pause begins."""
    lengths = []
    for arrived in records:
        pace.count(arrived)
        pace.begin()
        lengths.append(pace.rest())
        clock.at += lengths[-1]
    return lengths


def test_a_pause_is_longer_the_more_records_arrive_up_to_the_longest() -> None:
    clock = Clock()
    # The rates are 0, 4, 5, 100, 10, 4 and 1 records a second.
    assert pauses(growing(clock), clock, 0, 32, 40, 1000, 200, 80, 8) == [8, 8, 10, 20, 20, 8, 8]


def test_after_a_quiet_time_a_pause_is_short_whatever_came_before() -> None:
    clock = Clock()
    pace = growing(clock)
    assert pauses(pace, clock, 0, 1000) == [8, 20]
    clock.at += 1000
    assert pauses(pace, clock, 1000) == [8]


def test_records_that_arrive_at_once_do_not_count_as_an_endless_rate() -> None:
    clock = Clock()
    assert pauses(growing(clock), clock, 40) == [10]
