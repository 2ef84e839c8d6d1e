"""The token buckets of rate limits."""

import pytest

from daybook_infra.runtime.http.rate import MAX_BUCKETS, Buckets
from support.door_doubles import Clock


def test_a_new_bucket_has_exactly_the_burst(clock: Clock) -> None:
    buckets = Buckets(50, 3, clock)
    assert [buckets.take("ada") for _ in range(3)] == [0.0] * 3
    assert buckets.take("ada") == pytest.approx(1 / 50)


def test_a_bucket_fills_with_time_up_to_the_burst(clock: Clock) -> None:
    buckets = Buckets(2, 4, clock)
    assert [buckets.take("ada") for _ in range(4)] == [0.0] * 4
    clock.now += 1
    assert [bool(buckets.take("ada")) for _ in range(3)] == [False, False, True]
    clock.now += 1000
    assert [bool(buckets.take("ada")) for _ in range(5)] == [False] * 4 + [True]


def test_a_refused_request_costs_nothing(clock: Clock) -> None:
    buckets = Buckets(1, 1, clock)
    buckets.take("ada")
    waits = [buckets.take("ada") for _ in range(3)]
    assert waits == [1.0, 1.0, 1.0]


def test_an_overdrawn_bucket_returns_the_time_until_the_next_token(clock: Clock) -> None:
    buckets = Buckets(50, 200, clock)
    buckets.take("ada")
    buckets.overdraw("ada", 999)
    assert buckets.take("ada") == pytest.approx(801 / 50)


def test_each_sender_has_its_own_bucket(clock: Clock) -> None:
    buckets = Buckets(1, 1, clock)
    buckets.take("ada")
    assert buckets.take("bob") == 0.0


def test_the_number_of_buckets_is_bounded_and_the_least_recently_used_is_dropped(clock: Clock) -> None:
    buckets = Buckets(1, 1, clock)
    for number in range(MAX_BUCKETS + 1):
        buckets.take(str(number))
    assert buckets.take("1") > 0
    assert buckets.take("0") == 0.0


def test_a_refused_charge_refunds_what_was_already_paid(clock: Clock) -> None:
    buckets = Buckets(1, 2, clock)
    assert [buckets.take("ada"), buckets.take("ada")] == [0.0, 0.0]
    assert buckets.charge("ada", 100, paid=1) == 0.0
    assert buckets.charge("ada", 100, paid=1) == pytest.approx(99)
    clock.now += 98
    assert buckets.take("ada") == pytest.approx(1)
