"""Commands reach a shard in offset order, whatever a rebalance left in the consumer's hands."""

from dataclasses import dataclass, field
from typing import cast

from daybook_command.engine.assignment import Assignment
from daybook_command.engine.effect_runner import EffectRunner
from daybook_command.engine.engine import Engine
from daybook_command.shard.machine import Shard
from daybook_infra.runtime.health import Health
from support.one_shard import command_at
from support.simulation import CONFIG


@dataclass
class Seeks:
    """A consumer that only notes where it is asked to go on."""

    sought: list[int] = field(default_factory=list)

    async def committed(self, partition: int) -> int:
        return 0

    def seek(self, partition: int, offset: int) -> None:
        self.sought.append(offset)

    def pause(self, partition: int) -> None: ...

    def resume(self, partition: int) -> None: ...

    async def commit(self, offsets: dict[int, int]) -> None: ...


def reading_from(offset: int) -> tuple[Engine, Shard, Seeks]:
    """An engine that owns partition 0 and has not taken it over yet: what arrives stays in the queue."""
    seeks = Seeks()
    engine = Engine(CONFIG, cast("EffectRunner", None), seeks, Health())
    shard = Shard.of(0, CONFIG)
    engine._assignments[0] = Assignment(shard, 0.0, started=True, expected_offset=offset)
    return engine, shard, seeks


def queued(shard: Shard) -> list[int]:
    return [record.offset for record in shard.inbox.queue]


def test_what_was_taken_already_is_not_taken_again() -> None:
    engine, shard, _ = reading_from(5)
    engine.take(0, [command_at(offset) for offset in (3, 4, 5, 6)])
    engine.take(0, [command_at(offset) for offset in (6, 7)])
    assert queued(shard) == [5, 6, 7]


def test_a_command_ahead_of_earlier_ones_waits_for_them() -> None:
    engine, shard, seeks = reading_from(5)
    engine.take(0, [command_at(10), command_at(11)])
    assert (queued(shard), seeks.sought) == ([], [5])
    engine.take(0, [command_at(offset) for offset in range(5, 12)])
    assert queued(shard) == list(range(5, 12))


def test_a_gap_that_is_there_a_second_time_is_one_of_the_topic() -> None:
    engine, shard, seeks = reading_from(5)
    for _ in range(2):
        engine.take(0, [command_at(10)])
    assert (queued(shard), seeks.sought) == ([10], [5])


def test_commands_of_a_partition_that_was_given_away_are_left_to_its_owner() -> None:
    engine, shard, _ = reading_from(5)
    engine._assignments[0].leaving = True
    engine.take(0, [command_at(5)])
    engine.take(1, [command_at(5)])
    assert queued(shard) == []
