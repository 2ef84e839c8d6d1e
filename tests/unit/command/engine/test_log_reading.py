"""Partitions whose log cannot be read do not hold up the reading of others."""

import asyncio
from typing import cast

from daybook_command.engine.effect_runner import EffectRunner
from daybook_command.kafka.answer_publisher import AnswerPublisher
from daybook_command.kafka.log_reader import LogReader
from daybook_command.kafka.log_writer import LogWriter
from daybook_command.postgres.overdue_runs import OverdueRuns
from daybook_command.postgres.snapshot_reader import SnapshotReader
from daybook_command.shard.events import LogOpened, LogRead
from daybook_contracts.log.head import NOTHING_PROJECTED
from daybook_infra.runtime.errors import KafkaAway
from daybook_infra.runtime.health import Health

LEADERLESS, HEALTHY = 0, 1
OPENED = LogOpened(NOTHING_PROJECTED, 0, 1)


class Kafka:
    """A log of two partitions. One has lost its leader, so nobody says where it begins and ends."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()

    async def read_slice(self, partition: int, start: int, stop: int) -> LogRead:
        if partition == LEADERLESS:
            raise KafkaAway("no leader")
        return LogRead([], stop)

    async def read_bounds(self, partition: int) -> tuple[int, int]:
        assert partition == LEADERLESS
        self.asked.set()
        await asyncio.Event().wait()
        raise AssertionError


async def test_a_log_is_read_while_the_bounds_of_another_cannot_be_read() -> None:
    kafka, found = Kafka(), list[LogOpened | LogRead]()

    def give(event: LogOpened | LogRead) -> bool:
        found.append(event)
        return True

    runner = EffectRunner(
        cast("LogReader", kafka),
        cast("LogWriter", None),
        cast("SnapshotReader", None),
        cast("OverdueRuns", None),
        cast("AnswerPublisher", None),
        Health(),
    )
    waiting = asyncio.create_task(runner.read_log(LEADERLESS, OPENED, give))
    async with asyncio.timeout(10):
        await kafka.asked.wait()
        await runner.read_log(HEALTHY, OPENED, give)
    assert found == [LogRead([], 1)]
    waiting.cancel()
    await asyncio.wait({waiting})
