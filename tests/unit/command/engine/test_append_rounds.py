"""The batches that are decided on one snapshot are appended together, so that Kafka gets them in one request."""

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import cast

import pytest

from daybook_command.engine import effect_runner
from daybook_command.engine.effect_runner import EffectRunner
from daybook_command.kafka.answer_publisher import AnswerPublisher
from daybook_command.kafka.log_reader import LogReader
from daybook_command.kafka.log_writer import LogWriter
from daybook_command.postgres.overdue_runs import OverdueRuns
from daybook_command.postgres.snapshot_reader import SnapshotReader
from daybook_command.shard.effects import Append, LoadSnapshot
from daybook_command.shard.events import Acknowledged, Event
from daybook_command.shard.snapshot import Needs, Snapshot
from daybook_contracts.log.head import NOTHING_PROJECTED
from daybook_infra.runtime.health import Health

PARTITIONS = range(3)
EMPTY = Snapshot(NOTHING_PROJECTED, 0, {}, {}, frozenset(), frozenset())


@dataclass
class Servers:
    """A PostgreSQL without rows, and a Kafka that acknowledges everything. `happened`: each decision and append with
    its partition, in order.
    """

    happened: list[tuple[str, int]] = field(default_factory=list)
    finished: asyncio.Event = field(default_factory=asyncio.Event)

    async def read(self, needs: Mapping[int, Needs]) -> dict[int, Snapshot]:
        return dict.fromkeys(needs, EMPTY)

    async def append(self, partition: int, _: Append) -> Event:
        self.happened.append(("append", partition))
        if len(self.happened) == 2 * len(PARTITIONS):
            self.finished.set()
        return Acknowledged(0)


async def decide_all(servers: Servers) -> None:
    """Decides a batch of each partition on one snapshot, and appends it."""
    runner = EffectRunner(
        cast("LogReader", None),
        cast("LogWriter", servers),
        cast("SnapshotReader", servers),
        cast("OverdueRuns", None),
        cast("AnswerPublisher", None),
        Health(),
    )
    async with asyncio.TaskGroup() as group:

        def decide(partition: int, _: Event) -> None:
            servers.happened.append(("decide", partition))
            group.create_task(runner.append(partition, Append(())))

        rounds = asyncio.create_task(runner.run_rounds())
        await asyncio.sleep(0)
        for partition in PARTITIONS:
            runner.queue_load(partition, LoadSnapshot(Needs(), 0), partial(decide, partition))
        await asyncio.wait_for(servers.finished.wait(), 10)
    rounds.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await rounds


@pytest.fixture
def servers() -> Servers:
    return Servers()


async def test_batches_of_one_snapshot_are_appended_after_all_of_them_are_decided(
    servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(effect_runner, "ROUND_SECONDS", 60.0)
    await decide_all(servers)
    count = len(PARTITIONS)
    assert servers.happened[:count] == [("decide", partition) for partition in PARTITIONS]
    assert sorted(servers.happened[count:]) == [("append", partition) for partition in PARTITIONS]


async def test_appends_do_not_wait_long_for_other_partitions(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(effect_runner, "ROUND_SECONDS", 0.0)
    await decide_all(servers)
    assert servers.happened.index(("append", 0)) < servers.happened.index(("decide", 2))
