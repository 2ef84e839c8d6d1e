"""When reading from Kafka pauses: too many queued commands or bytes, or too many unacknowledged answers."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

import pytest
from msgspec.structs import replace

from daybook_command.engine.assignment import MAX_ANSWERING, MAX_QUEUED, MAX_QUEUED_BYTES, Assignment, CommandConsumer
from daybook_command.engine.effect_runner import EffectRunner
from daybook_command.engine.engine import Engine
from daybook_command.shard.effects import Answer
from daybook_command.shard.inbox import Inbox
from daybook_command.shard.records import CommandRecord
from daybook_infra.runtime.health import Health
from support.one_shard import command_at, ready_shard
from support.simulation import CONFIG

LARGE = 256 * 1024
NO_ANSWER = Answer(replies=(), forwards=(), refused=(), next_offset=1)


class Silent:
    """An effect runner that never returns a result."""

    def queue_load(self, *_: object) -> None: ...


@dataclass
class PausableConsumer:
    """A consumer that only notes the calls to `pause` and `resume`."""

    calls: list[str] = field(default_factory=list)

    def pause(self, _: int) -> None:
        self.calls.append("pause")

    def resume(self, _: int) -> None:
        self.calls.append("resume")


def reading() -> tuple[Engine, Assignment, PausableConsumer]:
    """An engine that reads partition 0 and has a first command whose snapshot is still loading."""
    consumer = PausableConsumer()
    engine = Engine(CONFIG, cast("EffectRunner", Silent()), cast("CommandConsumer", consumer), Health())
    assignment = engine._assignments[0] = Assignment(ready_shard(), 0.0, started=True, paused=False)
    engine.take(0, [command_at(0)])
    return engine, assignment, consumer


def large(offset: int) -> CommandRecord:
    return replace(command_at(offset), value=b" " * LARGE)


@pytest.mark.parametrize(("made_at", "most"), [(command_at, MAX_QUEUED), (large, MAX_QUEUED_BYTES // LARGE)])
def test_reading_pauses_at_a_full_queue_until_below_half(made_at: Callable[[int], CommandRecord], most: int) -> None:
    engine, assignment, consumer = reading()
    records = [made_at(offset) for offset in range(1, most + 1)]
    engine.take(0, records[:-1])
    assert consumer.calls == []
    engine.take(0, records[-1:])
    assert consumer.calls == ["pause"]
    inbox = assignment.shard.inbox
    left = list(inbox.queue)
    inbox.clear()
    inbox.put_back(left[: most // 2])
    engine._pause_or_resume(assignment)
    assert consumer.calls == ["pause"]
    inbox.clear()
    inbox.put_back(left[: most // 2 - 1])
    engine._pause_or_resume(assignment)
    assert consumer.calls == ["pause", "resume"]


def test_records_taken_from_the_queue_no_longer_count() -> None:
    _, assignment, _ = reading()
    inbox = assignment.shard.inbox
    inbox.add([replace(command_at(1), headers=(("x", b"12"),))])
    assert inbox.size == len(command_at(1).value or b"") + 2
    records, _ = inbox.take()
    assert (len(records), inbox.size) == (1, 0)


def test_reading_pauses_while_too_many_answers_are_unacknowledged() -> None:
    engine, assignment, consumer = reading()
    for _ in range(MAX_ANSWERING - 1):
        engine._run_effect(assignment, NO_ANSWER)
    engine._pause_or_resume(assignment)
    assert consumer.calls == []
    engine._run_effect(assignment, NO_ANSWER)
    engine._pause_or_resume(assignment)
    assert consumer.calls == ["pause"]


@pytest.mark.parametrize(("size", "taken"), [(1, 500), (1_000, 262), (200_000, 1), (4_000_000, 1)])
def test_a_batch_takes_at_most_the_bytes_of_one_envelope_but_at_least_one_record(size: int, taken: int) -> None:
    inbox = Inbox(0, 1, 500)
    inbox.add([CommandRecord(offset, None, b" " * size, (), 0) for offset in range(600)])
    records, _ = inbox.take()
    assert [record.offset for record in records] == list(range(taken))
    assert inbox.queue[0].offset == taken
    assert inbox.size == (600 - taken) * size
