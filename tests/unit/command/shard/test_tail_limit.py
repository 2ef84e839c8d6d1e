"""The tails of a process share one limit: half of it equally, the rest by need."""

from hypothesis import given
from hypothesis import strategies as st

from daybook_command.shard.tail import TailLimit

LIMIT = TailLimit(total=1200, partitions=6)


def test_a_tail_within_its_share_may_always_grow() -> None:
    assert not LIMIT.is_exceeded(100, elsewhere=10_000)
    assert LIMIT.is_exceeded(101, elsewhere=10_000)


def test_one_tail_may_take_all_that_the_others_do_not_need() -> None:
    assert not LIMIT.is_exceeded(700, elsewhere=0)
    assert LIMIT.is_exceeded(701, elsewhere=0)
    assert LIMIT.is_exceeded(500, elsewhere=201)


@given(st.lists(st.integers(0, 5), min_size=150, max_size=300))
def test_all_tails_together_stay_within_the_limit(growing: list[int]) -> None:
    """Each number is a partition whose tail grows by 10 bytes if it may."""
    tails = [0] * LIMIT.partitions
    for at in growing:
        elsewhere = sum(LIMIT.excess(tail) for other, tail in enumerate(tails) if other != at)
        if not LIMIT.is_exceeded(tails[at] + 10, elsewhere):
            tails[at] += 10
    assert sum(tails) <= LIMIT.total
