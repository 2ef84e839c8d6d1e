"""When commands are left in Kafka: what is queued is bounded in number and in bytes, and so is what is not answered."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import cast

import pytest

from daybook_command.engine.assignment import MAX_ANSWERING, MAX_QUEUED, MAX_QUEUED_BYTES, Assignment, CommandConsumer
from daybook_command.engine.effect_runner import EffectRunner
from daybook_command.engine.engine import Engine
from daybook_command.shard.effects import Answer
from daybook_command.shard.inbox import Inbox
from daybook_command.shard.records import CommandRecord
from daybook_infra.runtime.health import Health
from support.one_shard import command_at, fresh
from support.simulation import CONFIG

LARGE = 256 * 1024
NO_ANSWER = Answer(replies=(), forwards=(), refused=(), next_offset=1)


class Silent:
    """An effect runner from which nothing ever comes back."""

    def queue_load(self, *_: object) -> None: ...


@dataclass
class Valve:
    """A consumer that only notes what it is told of reading."""

    told: list[str] = field(default_factory=list)

    def pause(self, _: int) -> None:
        self.told.append("pause")

    def resume(self, _: int) -> None:
        self.told.append("resume")


def reading() -> tuple[Engine, Assignment, Valve]:
    """An engine that reads partition 0, with a first command that is being looked up."""
    valve = Valve()
    engine = Engine(CONFIG, cast("EffectRunner", Silent()), cast("CommandConsumer", valve), Health())
    assignment = engine._assignments[0] = Assignment(fresh(), 0.0, started=True, paused=False)
    engine.take(0, [command_at(0)])
    return engine, assignment, valve


def large(offset: int) -> CommandRecord:
    return replace(command_at(offset), value=b" " * LARGE)


@pytest.mark.parametrize(("made_at", "most"), [(command_at, MAX_QUEUED), (large, MAX_QUEUED_BYTES // LARGE)])
def test_a_queue_that_is_full_is_not_filled_further_until_half_of_it_is_gone(
    made_at: Callable[[int], CommandRecord], most: int
) -> None:
    engine, assignment, valve = reading()
    records = [made_at(offset) for offset in range(1, most + 1)]
    engine.take(0, records[:-1])
    assert valve.told == []
    engine.take(0, records[-1:])
    assert valve.told == ["pause"]
    inbox = assignment.shard.inbox
    left = list(inbox.queue)
    inbox.clear()
    inbox.put_back(left[: most // 2])
    engine._pause_or_resume(assignment)
    assert valve.told == ["pause"]
    inbox.clear()
    inbox.put_back(left[: most // 2 - 1])
    engine._pause_or_resume(assignment)
    assert valve.told == ["pause", "resume"]


def test_what_is_taken_from_the_queue_no_longer_counts() -> None:
    _, assignment, _ = reading()
    inbox = assignment.shard.inbox
    inbox.add([replace(command_at(1), headers=(("x", b"12"),))])
    assert inbox.size == len(command_at(1).value or b"") + 2
    records, _ = inbox.take_records()
    assert (len(records), inbox.size) == (1, 0)


def test_whose_answers_are_not_acknowledged_takes_no_more() -> None:
    engine, assignment, valve = reading()
    for _ in range(MAX_ANSWERING - 1):
        engine._run_effect(assignment, NO_ANSWER)
    engine._pause_or_resume(assignment)
    assert valve.told == []
    engine._run_effect(assignment, NO_ANSWER)
    engine._pause_or_resume(assignment)
    assert valve.told == ["pause"]


@pytest.mark.parametrize(("size", "taken"), [(1, 500), (1_000, 262), (200_000, 1), (4_000_000, 1)])
def test_a_batch_takes_no_more_bytes_than_one_envelope_may_have_or_one_record(size: int, taken: int) -> None:
    inbox = Inbox(0, 1, 500)
    inbox.add([CommandRecord(offset, None, b" " * size, (), 0) for offset in range(600)])
    records, _ = inbox.take_records()
    assert [record.offset for record in records] == list(range(taken))
    assert inbox.queue[0].offset == taken
    assert inbox.size == (600 - taken) * size
