"""Working off dead letters by bulk commands: against a connection that keeps nothing but retry counts."""

from collections import Counter
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daybook_contracts.limits import BULK_IDS
from daybook_infra.operations.bulk import (
    BulkAction,
    Pass,
    Progress,
    Resolve,
    Retry,
    command_data,
    command_type,
    plan_passes,
)

CONNECTION = UUID("00000000-0000-4000-8000-00000000000c")
RESOLVE_ALL = Resolve(None, "discarded", None)


class Pending:
    """What a connection has pending, oldest first, and what a bulk command with a filter does to it."""

    def __init__(self, *retry_counts: int, arriving: int = 0) -> None:
        self.retry_counts = list(retry_counts)
        self.arriving = arriving
        self.commands = 0

    def by_retries(self, work: BulkAction) -> Counter[int]:
        most = work.max_retry_count
        return Counter(count for count in self.retry_counts if most is None or count <= most)

    def carry_out(self, work: BulkAction, current: Pass) -> tuple[int, int]:
        most = current.max_retry_count
        self.retry_counts += [0] * self.arriving
        matching = [at for at, count in enumerate(self.retry_counts) if most is None or count <= most]
        taken = set(matching[:BULK_IDS])
        if isinstance(work, Retry):
            self.retry_counts = [count + (at in taken) for at, count in enumerate(self.retry_counts)]
        else:
            self.retry_counts = [count for at, count in enumerate(self.retry_counts) if at not in taken]
        self.commands += 1
        return len(taken), min(10_001, len(matching) - len(taken))


def swept(pending: Pending, work: BulkAction, *, commands: int = 1000) -> Progress:
    """Until the end, or an interruption after so many commands."""
    sweep = Progress(plan_passes(work, pending.by_retries(work)))
    while (current := sweep.current) is not None and pending.commands < commands:
        sweep.record(*pending.carry_out(work, current))
    return sweep


def test_all_are_resolved_a_thousand_at_a_time() -> None:
    pending = Pending(*[0] * 2500)
    sweep = swept(pending, RESOLVE_ALL)
    assert (sweep.done, pending.commands, pending.retry_counts) == (2500, 3, [])


def test_only_those_retried_so_often_are_resolved() -> None:
    pending = Pending(0, 4, 1, 2)
    assert swept(pending, Resolve(1, "manual", None)).done == 2
    assert pending.retry_counts == [4, 2]


def test_those_never_retried_are_retried_once() -> None:
    pending = Pending(*[0, 3] * 1100)
    sweep = swept(pending, Retry(0))
    assert (sweep.done, pending.commands, Counter(pending.retry_counts)) == (1100, 2, {1: 1100, 3: 1100})


def test_each_is_retried_until_it_has_been_more_than_so_often() -> None:
    pending = Pending(0, 1, 2, 3, 9)
    sweep = swept(pending, Retry(2))
    assert (sweep.done, sweep.total, sorted(pending.retry_counts)) == (6, 6, [3, 3, 3, 3, 9])


def test_levels_that_nothing_stands_on_are_not_asked_for() -> None:
    assert [each.max_retry_count for each in plan_passes(Retry(5), {4: 10})] == [4, 5]


@pytest.mark.parametrize("work", [Retry(3), RESOLVE_ALL])
def test_where_nothing_matches_nothing_is_sent(work: BulkAction) -> None:
    assert Progress(plan_passes(work, {})).current is None


@given(st.lists(st.integers(0, 4), max_size=30), st.integers(0, 3), st.integers(0, 9))
def test_an_interrupted_retry_that_is_repeated_ends_where_an_unbroken_one_does(
    counts: list[int], most: int, commands: int
) -> None:
    unbroken, broken = Pending(*counts), Pending(*counts)
    whole = swept(unbroken, Retry(most))
    first = swept(broken, Retry(most), commands=commands)
    second = swept(broken, Retry(most))
    assert broken.retry_counts == unbroken.retry_counts
    assert first.done + second.done == whole.done == whole.total
    assert all(count > most for count in broken.retry_counts)


@pytest.mark.parametrize("work", [Retry(0), Retry(2), RESOLVE_ALL])
def test_a_source_that_never_rests_cannot_hold_it_up(work: BulkAction) -> None:
    pending = Pending(*[0] * 1500, arriving=1500)
    planned = plan_passes(work, pending.by_retries(work))
    sweep = swept(pending, work)
    assert sweep.current is None
    assert pending.commands == sum(each.commands for each in planned) == 3 * len(planned)
    assert sweep.done == 1000 * pending.commands


def test_a_filter_that_touches_nothing_is_not_sent_again() -> None:
    sweep = Progress((Pass(0, 5000), Pass(1, 5000)))
    sweep.record(0, 7)
    assert sweep.current == Pass(1, 5000)


def test_a_command_says_only_what_was_chosen() -> None:
    connection = str(CONNECTION)
    assert command_data(Retry(3), CONNECTION, Pass(2, 1)) == {
        "connection_id": connection,
        "filter": {"max_retry_count": 2},
    }
    assert command_data(RESOLVE_ALL, CONNECTION, Pass(None, 1)) == {
        "connection_id": connection,
        "filter": {},
        "resolution": "discarded",
    }
    assert command_data(Resolve(1, "manual", "by hand"), CONNECTION, Pass(1, 1)) == {
        "connection_id": connection,
        "filter": {"max_retry_count": 1},
        "resolution": "manual",
        "reason": "by hand",
    }
    assert [command_type(work) for work in (Retry(0), RESOLVE_ALL)] == ["RETRY_DLQ_EVENTS", "RESOLVE_DLQ_EVENTS"]
