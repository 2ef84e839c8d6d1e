"""Gaps before the records of a partition: some offsets have no record, and records that were fetched before a seek can
arrive after it. No record may be taken ahead of an earlier one.
"""

from collections import deque
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daybook_command.engine.assignment import Assignment, CommandConsumer
from daybook_command.shard.records import CommandRecord
from support.one_shard import ready_shard

POLLED = 20


@dataclass
class Topic:
    """The records with these offsets. A poll reads a run of at most `polled` records. Runs arrive later, in order."""

    offsets: list[int]
    polled: int
    position: int = 0
    arriving: deque[list[int]] = field(default_factory=deque)

    def seek(self, _partition: int, offset: int) -> None:
        self.position = offset

    def poll(self) -> None:
        run = [offset for offset in self.offsets if offset >= self.position][: self.polled]
        if run:
            self.arriving.append(run)
            self.position = run[-1] + 1


def arrive(topic: Topic, assignment: Assignment) -> list[int]:
    """Gives the next run to the partition. Returns the offsets that it takes."""
    records = [CommandRecord(offset, b"", b"", (), 0) for offset in topic.arriving.popleft()]
    taken = assignment.next_in_order(records, cast("CommandConsumer", topic))
    if taken:
        assignment.expected_offset = taken[-1].offset + 1
    return [record.offset for record in taken]


def take_all(topic: Topic, begin: int, steps: Iterable[bool]) -> list[int]:
    """`steps`: whether to poll next, or to let a run arrive. Afterwards, everything is polled and arrives."""
    assignment = Assignment(ready_shard(), 0.0, started=True)
    assignment.expected_offset = topic.position = begin
    taken = []
    for polls in steps:
        if polls:
            topic.poll()
        elif topic.arriving:
            taken += arrive(topic, assignment)
    for _ in range(10 * len(topic.offsets) + 10):
        topic.poll()
        if topic.arriving:
            taken += arrive(topic, assignment)
    return taken


def test_runs_that_were_on_their_way_at_a_gap_are_read_again() -> None:
    topic = Topic(list(range(101, 160)), POLLED)
    assert take_all(topic, 100, [True] * 3 + [False] * 3) == topic.offsets


@given(st.sets(st.integers(0, 60), min_size=1).map(sorted), st.integers(1, 20), st.lists(st.booleans(), max_size=60))
def test_every_record_is_taken_once_and_in_order(offsets: list[int], polled: int, steps: Collection[bool]) -> None:
    assert take_all(Topic(offsets, polled), 0, steps) == offsets


@pytest.mark.parametrize("deleted", [5, 30, 45])
def test_records_that_are_deleted_meanwhile_do_not_stop_the_reading(deleted: int) -> None:
    topic = Topic(list(range(1, 60)), POLLED)
    assignment = Assignment(ready_shard(), 0.0, started=True)
    topic.poll()
    assert arrive(topic, assignment) == []
    topic.offsets = topic.offsets[deleted:]
    taken = []
    for _ in range(10):
        topic.poll()
        if topic.arriving:
            taken += arrive(topic, assignment)
    assert taken == topic.offsets


def test_records_of_an_earlier_assignment_do_not_overtake() -> None:
    topic = Topic(list(range(60)), POLLED, position=20)
    for _ in range(2):
        topic.poll()
    assert take_all(topic, 0, []) == topic.offsets
