"""The gauges of a partition that was given away stay at 0, so that sums over all instances are right."""

import asyncio
from dataclasses import dataclass, field
from typing import cast

import pytest

from daybook_command import metrics
from daybook_command.engine import engine as engine_module
from daybook_command.engine.assignment import Assignment, CommandConsumer
from daybook_command.engine.effect_runner import EffectRunner
from daybook_command.engine.engine import Engine
from daybook_command.shard.machine import Shard
from daybook_infra.runtime.health import Health
from support.simulation import CONFIG

GIVEN_AWAY, KEPT = 3, 4


@dataclass
class HeldTurns:
    """Each turn begins when the test lets it."""

    asked: asyncio.Queue[None] = field(default_factory=asyncio.Queue)
    released: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))

    async def wait(self) -> None:
        self.asked.put_nowait(None)
        await self.released.acquire()


@dataclass
class Runner:
    turns: HeldTurns = field(default_factory=HeldTurns)


async def test_a_tick_that_waits_while_its_partition_is_given_away_does_not_set_the_gauges(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(engine_module, "TICK_SECONDS", 0.0)
    runner = Runner()
    engine = Engine(CONFIG, cast("EffectRunner", runner), cast("CommandConsumer", None), Health())
    for partition in (GIVEN_AWAY, KEPT):
        engine._assignments[partition] = Assignment(Shard.of(partition, CONFIG), 0.0)
        engine._assignments[partition].shard.memory.tail.weight = 12_345
    ticks = asyncio.create_task(engine._run_ticks())
    await asyncio.wait_for(runner.turns.asked.get(), 10)
    await engine.revoke([GIVEN_AWAY])
    for _ in range(2):  # until the tick of the other partition has passed too
        runner.turns.released.release()
        await asyncio.wait_for(runner.turns.asked.get(), 10)
    ticks.cancel()
    await asyncio.wait([ticks])
    gauge = metrics.TAIL_BYTES
    assert [gauge.labels(partition)._value.get() for partition in (GIVEN_AWAY, KEPT)] == [0, 12_345]
    gauge.labels(KEPT).set(0)
