"""When the client sends a command again: its own pauses, those that Daybook asks for, and the deadline."""

import pytest

from daybook_client.attempts import (
    FIRST_PAUSE_SECONDS,
    LONGEST_PAUSE_SECONDS,
    SHORTEST_ATTEMPT_SECONDS,
    Again,
    Attempts,
)

LOST = Again("lost")


@pytest.mark.parametrize(("drawn", "share"), [(0.0, 1.0), (1.0, 0.5)])
def test_pauses_double_up_to_a_limit_and_are_shortened_at_random(drawn: float, share: float) -> None:
    attempts = Attempts(1e9, 8.0, draw=lambda: drawn)
    pauses = [attempts.pause([LOST], 0.0) for _ in range(20)]
    expected = [min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2**made) * share for made in range(20)]
    assert pauses == pytest.approx(expected)


def test_the_longest_pause_that_daybook_asks_for_is_made() -> None:
    attempts = Attempts(1e9, 8.0)
    assert attempts.pause([LOST, Again("busy", 7.0), Again("busy", 3.0)], 0.0) == 7.0


def test_nothing_is_sent_when_the_deadline_is_too_near() -> None:
    assert Attempts(10.0, 8.0).pause([Again("busy", 9.0)], 1.0) is None
    assert Attempts(10.0 + SHORTEST_ATTEMPT_SECONDS, 8.0).pause([Again("busy", 9.0)], 1.0) == 9.0


def test_an_attempt_ends_with_the_deadline() -> None:
    attempts = Attempts(10.0, 8.0)
    assert [attempts.seconds(now) for now in (0.0, 7.0, 11.0)] == [8.0, 3.0, 0.0]
