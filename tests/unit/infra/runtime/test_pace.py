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
