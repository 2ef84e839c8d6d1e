"""A look-up of overdue runs waits until the look-up is due, but is repeated sooner after a failure."""

import asyncio
from dataclasses import dataclass, field
from typing import cast

from daybook_command.engine.effect_runner import EffectRunner
from daybook_command.kafka.answer_publisher import AnswerPublisher
from daybook_command.kafka.log_reader import LogReader
from daybook_command.kafka.log_writer import LogWriter
from daybook_command.postgres.overdue_runs import OverdueRuns
from daybook_command.postgres.snapshot_reader import SnapshotReader
from daybook_command.shard.events import RunsOverdue
from daybook_infra.runtime.errors import DatabaseAway
from daybook_infra.runtime.health import Health


@dataclass
class OneOutage:
    """PostgreSQL is away at the first look-up, and then has no overdue runs. `happened`: the calls, in order."""

    happened: list[str] = field(default_factory=list)

    async def wait_until_due(self) -> None:
        self.happened.append("wait")

    async def find(self) -> dict[int, RunsOverdue]:
        self.happened.append("find")
        if self.happened.count("find") == 1:
            raise DatabaseAway("away")
        return {}


async def test_a_failed_look_up_is_repeated_without_waiting_until_the_next_is_due() -> None:
    runs, health = OneOutage(), Health()
    runner = EffectRunner(
        cast("LogReader", None),
        cast("LogWriter", None),
        cast("SnapshotReader", None),
        cast("OverdueRuns", runs),
        cast("AnswerPublisher", None),
        health,
    )
    assert await asyncio.wait_for(runner.find_overdue_runs(), 10) == {}
    assert runs.happened == ["wait", "find", "find"]
    assert "postgres" not in health.reasons
