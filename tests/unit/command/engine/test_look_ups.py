"""Loads that are queued during a look-up share the next one. If they have many commands, the two look-ups overlap."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast

import pytest

from daybook_command.engine.effect_runner import SECOND_ROUND_COMMANDS, EffectRunner
from daybook_command.kafka.answer_publisher import AnswerPublisher
from daybook_command.kafka.log_reader import LogReader
from daybook_command.kafka.log_writer import LogWriter
from daybook_command.postgres.overdue_runs import OverdueRuns
from daybook_command.postgres.snapshot_reader import SnapshotReader, SnapshotRefused
from daybook_command.shard.effects import LoadSnapshot
from daybook_command.shard.events import Event
from daybook_command.shard.snapshot import Needs, Snapshot
from daybook_contracts.log.head import NOTHING_PROJECTED
from daybook_infra.runtime.health import Health

LOADED = "SnapshotLoaded"
EMPTY = Snapshot(NOTHING_PROJECTED, 0, {}, {}, frozenset(), frozenset())


@dataclass
class Postgres:
    """Answers after `released` is set. `reads`: the partitions of each look-up that has begun. Refuses a look-up
    of more than `most` partitions, or with the partition `refused`.
    """

    reads: asyncio.Queue[list[int]] = field(default_factory=asyncio.Queue)
    released: asyncio.Event = field(default_factory=asyncio.Event)
    most: int = 10
    refused: int | None = None

    async def read(self, needs: Mapping[int, Needs]) -> dict[int, Snapshot]:
        self.reads.put_nowait(list(needs))
        await self.released.wait()
        if len(needs) > self.most or self.refused in needs:
            raise SnapshotRefused
        return dict.fromkeys(needs, EMPTY)


@asynccontextmanager
async def running(postgres: Postgres) -> AsyncIterator[EffectRunner]:
    runner = EffectRunner(
        cast("LogReader", None),
        cast("LogWriter", None),
        cast("SnapshotReader", postgres),
        cast("OverdueRuns", None),
        cast("AnswerPublisher", None),
        Health(),
    )
    rounds = asyncio.create_task(runner.run_rounds())
    await asyncio.sleep(0)
    try:
        yield runner
    finally:
        rounds.cancel()
        await asyncio.wait([rounds])


def queue(runner: EffectRunner, partition: int, commands: int) -> None:
    def ignore(_: Event) -> None: ...

    runner.queue_load(partition, LoadSnapshot(Needs(), commands), ignore)


async def next_read(postgres: Postgres) -> list[int]:
    return await asyncio.wait_for(postgres.reads.get(), 10)


async def test_loads_of_the_same_moment_share_one_look_up() -> None:
    postgres = Postgres()
    async with running(postgres) as runner:
        for partition in range(3):
            queue(runner, partition, SECOND_ROUND_COMMANDS)
        assert await next_read(postgres) == [0, 1, 2]
        assert postgres.reads.empty()


async def test_few_commands_share_the_next_look_up() -> None:
    postgres = Postgres()
    async with running(postgres) as runner:
        queue(runner, 0, 1)
        assert await next_read(postgres) == [0]
        queue(runner, 1, 1)
        await asyncio.sleep(0)
        queue(runner, 2, 1)
        postgres.released.set()
        assert await next_read(postgres) == [1, 2]


async def test_many_commands_do_not_wait_for_the_look_up_in_progress() -> None:
    postgres = Postgres()
    async with running(postgres) as runner:
        queue(runner, 0, 1)
        assert await next_read(postgres) == [0]
        queue(runner, 1, SECOND_ROUND_COMMANDS)
        assert await next_read(postgres) == [1]


async def test_at_most_two_look_ups_are_in_progress() -> None:
    postgres = Postgres()
    async with running(postgres) as runner:
        for partition in range(2):
            queue(runner, partition, SECOND_ROUND_COMMANDS)
            assert await next_read(postgres) == [partition]
        queue(runner, 2, SECOND_ROUND_COMMANDS)
        await asyncio.sleep(0)
        queue(runner, 3, SECOND_ROUND_COMMANDS)
        postgres.released.set()
        assert await next_read(postgres) == [2, 3]


async def deliveries(runner: EffectRunner, partitions: int) -> list[str]:
    """Queues a load for each partition, and returns what they get."""
    delivered = [asyncio.get_running_loop().create_future() for _ in range(partitions)]
    for partition, each in enumerate(delivered):
        runner.queue_load(partition, LoadSnapshot(Needs(), 1), each.set_result)
    return [type(await asyncio.wait_for(each, 10)).__name__ for each in delivered]


@pytest.mark.parametrize("most", [1, 10])
async def test_a_look_up_that_postgresql_refuses_is_halved_until_it_is_of_one_partition(most: int) -> None:
    postgres = Postgres(most=most, refused=2)
    postgres.released.set()
    async with running(postgres) as runner:
        assert await deliveries(runner, 5) == [LOADED, LOADED, "LookUpRefused", LOADED, LOADED]
        assert await deliveries(runner, 1) == [LOADED]
