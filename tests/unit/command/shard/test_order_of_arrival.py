"""Commands reach a shard in the order of their offsets, even if the consumer delivers old records after a rebalance."""

from dataclasses import dataclass, field
from typing import cast

from daybook_command.engine.assignment import Assignment
from daybook_command.engine.effect_runner import EffectRunner
from daybook_command.engine.engine import Engine
from daybook_command.shard.arrivals import offsets_of
from daybook_command.shard.machine import Shard
from daybook_infra.runtime.health import Health
from support.one_shard import command_at
from support.simulation import CONFIG


@dataclass
class SeekableConsumer:
    """A consumer that only notes the offsets it is asked to seek to."""

    sought: list[int] = field(default_factory=list)

    async def committed(self, partition: int) -> int:
        return 0

    async def end(self, partition: int) -> int:
        return 0

    def seek(self, partition: int, offset: int) -> None:
        self.sought.append(offset)

    def pause(self, partition: int) -> None: ...

    def resume(self, partition: int) -> None: ...

    async def commit(self, offsets: dict[int, int]) -> bool:
        return True


def reading_from(offset: int) -> tuple[Engine, Shard, SeekableConsumer]:
    """An engine that owns partition 0 but has not taken it over yet, so commands stay in the queue."""
    consumer = SeekableConsumer()
    engine = Engine(CONFIG, cast("EffectRunner", None), consumer, Health())
    shard = Shard.of(0, CONFIG)
    engine._assignments[0] = Assignment(shard, 0.0, started=True, expected_offset=offset)
    return engine, shard, consumer


def queued(shard: Shard) -> list[int]:
    return offsets_of(shard.inbox.queue)


def test_commands_already_taken_are_not_taken_again() -> None:
    engine, shard, _ = reading_from(5)
    engine.take(0, [command_at(offset) for offset in (3, 4, 5, 6)])
    engine.take(0, [command_at(offset) for offset in (6, 7)])
    assert queued(shard) == [5, 6, 7]


def test_a_command_ahead_of_earlier_ones_is_read_again_after_them() -> None:
    engine, shard, consumer = reading_from(5)
    engine.take(0, [command_at(10), command_at(11)])
    assert (queued(shard), consumer.sought) == ([], [5])
    engine.take(0, [command_at(offset) for offset in range(5, 12)])
    assert queued(shard) == list(range(5, 12))


def test_a_gap_that_persists_after_one_seek_is_accepted() -> None:
    engine, shard, consumer = reading_from(5)
    for _ in range(2):
        engine.take(0, [command_at(10)])
    assert (queued(shard), consumer.sought) == ([10], [5])


def test_commands_of_a_revoked_partition_are_ignored() -> None:
    engine, shard, _ = reading_from(5)
    engine._assignments[0].leaving = True
    engine.take(0, [command_at(5)])
    engine.take(1, [command_at(5)])
    assert queued(shard) == []
