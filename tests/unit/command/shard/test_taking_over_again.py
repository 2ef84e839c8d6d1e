"""How the engine treats a shard that takes over its partition again and again."""

from collections.abc import Awaitable, Callable
from typing import cast

from daybook_command.engine.assignment import Assignment, CommandConsumer, retake_pause
from daybook_command.engine.effect_runner import EffectRunner
from daybook_command.engine.engine import Engine
from daybook_command.shard.events import LogOpened
from daybook_command.shard.machine import Shard
from daybook_infra.runtime.health import Health
from daybook_infra.runtime.retrying import LONGEST_PAUSE_SECONDS
from support.one_shard import NOTHING
from support.simulation import CONFIG


class EmptyLog:
    """An effect runner that finds nothing in the log."""

    async def read_log_ends(self) -> dict[int, int]:
        return {}

    async def open_log(self, _: int) -> LogOpened:
        return LogOpened(NOTHING, 0, 0)

    async def retry(self, _: str, attempt: Callable[[], Awaitable[int]]) -> int:
        return await attempt()


class EmptyTopic:
    async def end(self, _: int) -> int:
        return 0


async def test_a_shard_with_a_wrong_clock_stays_unready_after_a_takeover() -> None:
    health = Health()
    engine = Engine(CONFIG, cast("EffectRunner", EmptyLog()), cast("CommandConsumer", EmptyTopic()), health)
    shard = Shard.of(0, CONFIG)
    shard.held = "the clock is off"
    assignment = engine._assignments[0] = Assignment(shard, 0.0, started=True)
    health.fail("partition 0", "the clock is off")
    async with engine._group:
        await engine._takeovers.take_over(assignment)
    assert health.reasons["partition 0"] == "the clock is off"


def test_the_first_lost_race_causes_no_pause_and_further_ones_cause_ever_longer_pauses() -> None:
    pauses = [retake_pause(retakes) for retakes in (0, 1, 2, 3, 4, 10_000)]
    assert pauses == [0, 0, 0.1, 0.2, 0.4, LONGEST_PAUSE_SECONDS]
