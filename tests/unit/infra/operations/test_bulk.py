"""Retrying and resolving dead letters with bulk commands, against a simulated connection that keeps retry counts."""

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
    """The pending dead letters of a connection, as retry counts, oldest first. Carries out bulk commands."""

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
        chosen = set(matching[:BULK_IDS])
        if isinstance(work, Retry):
            self.retry_counts = [count + (at in chosen) for at, count in enumerate(self.retry_counts)]
        else:
            self.retry_counts = [count for at, count in enumerate(self.retry_counts) if at not in chosen]
        self.commands += 1
        return len(chosen), min(10_001, len(matching) - len(chosen))


def run_to_end(pending: Pending, work: BulkAction, *, commands: int = 1000) -> Progress:
    """Carries out commands until the work is done, or stops after `commands` of them."""
    sweep = Progress(plan_passes(work, pending.by_retries(work)))
    while (current := sweep.current) is not None and pending.commands < commands:
        sweep.record(*pending.carry_out(work, current))
    return sweep


def test_all_dead_letters_are_resolved_a_thousand_at_a_time() -> None:
    pending = Pending(*[0] * 2500)
    sweep = run_to_end(pending, RESOLVE_ALL)
    assert (sweep.done, pending.commands, pending.retry_counts) == (2500, 3, [])


def test_only_dead_letters_up_to_the_retry_count_are_resolved() -> None:
    pending = Pending(0, 4, 1, 2)
    assert run_to_end(pending, Resolve(1, "manual", None)).done == 2
    assert pending.retry_counts == [4, 2]


def test_dead_letters_without_a_retry_are_retried_once() -> None:
    pending = Pending(*[0, 3] * 1100)
    sweep = run_to_end(pending, Retry(0))
    assert (sweep.done, pending.commands, Counter(pending.retry_counts)) == (1100, 2, {1: 1100, 3: 1100})


def test_each_dead_letter_is_retried_until_it_exceeds_the_retry_count() -> None:
    pending = Pending(0, 1, 2, 3, 9)
    sweep = run_to_end(pending, Retry(2))
    assert (sweep.done, sweep.total, sorted(pending.retry_counts)) == (6, 6, [3, 3, 3, 3, 9])


def test_retry_counts_without_dead_letters_get_no_pass() -> None:
    assert [each.max_retry_count for each in plan_passes(Retry(5), {4: 10})] == [4, 5]


@pytest.mark.parametrize("work", [Retry(3), RESOLVE_ALL])
def test_nothing_is_sent_if_nothing_matches(work: BulkAction) -> None:
    assert Progress(plan_passes(work, {})).current is None


@given(st.lists(st.integers(0, 4), max_size=30), st.integers(0, 3), st.integers(0, 9))
def test_an_interrupted_retry_can_simply_be_repeated(counts: list[int], max_retry_count: int, commands: int) -> None:
    uninterrupted, interrupted = Pending(*counts), Pending(*counts)
    whole = run_to_end(uninterrupted, Retry(max_retry_count))
    first = run_to_end(interrupted, Retry(max_retry_count), commands=commands)
    second = run_to_end(interrupted, Retry(max_retry_count))
    assert interrupted.retry_counts == uninterrupted.retry_counts
    assert first.done + second.done == whole.done == whole.total
    assert all(count > max_retry_count for count in interrupted.retry_counts)


@pytest.mark.parametrize("work", [Retry(0), Retry(2), RESOLVE_ALL])
def test_dead_letters_that_keep_arriving_do_not_prolong_the_work(work: BulkAction) -> None:
    pending = Pending(*[0] * 1500, arriving=1500)
    planned = plan_passes(work, pending.by_retries(work))
    sweep = run_to_end(pending, work)
    assert sweep.current is None
    assert pending.commands == sum(each.commands for each in planned) == 3 * len(planned)
    assert sweep.done == 1000 * pending.commands


def test_a_filter_that_matches_nothing_is_not_sent_again() -> None:
    sweep = Progress((Pass(0, 5000), Pass(1, 5000)))
    sweep.record(0, 7)
    assert sweep.current == Pass(1, 5000)


def test_a_command_has_only_the_given_options() -> None:
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
