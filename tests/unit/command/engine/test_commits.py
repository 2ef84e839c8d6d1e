"""Offsets that could not be committed are committed later, unless the partition was given away."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import RequestTimedOutError

from daybook_command.engine import commits
from daybook_command.engine.assignment import Assignment, CommandConsumer
from daybook_command.engine.commits import Commits
from daybook_command.kafka.command_subscriber import CommandSubscriber
from daybook_contracts.topics import Topics
from daybook_infra.runtime.settings import Settings
from support.one_shard import ready_shard

HOUR = 3600.0


@dataclass
class Consumer:
    """Commits wait until `released` is set; then the first one fails. `asked`: the offsets of each commit."""

    asked: asyncio.Queue[dict[int, int]] = field(default_factory=asyncio.Queue)
    released: asyncio.Event = field(default_factory=asyncio.Event)
    failed: bool = False

    async def commit(self, offsets: dict[int, int]) -> bool:
        self.asked.put_nowait(offsets)
        await self.released.wait()
        first, self.failed = not self.failed, True
        return not first

    async def next(self) -> dict[int, int]:
        return await asyncio.wait_for(self.asked.get(), 10)


def owned(partitions: Sequence[int]) -> dict[int, Assignment]:
    return {partition: Assignment(ready_shard(), 0.0) for partition in partitions}


@asynccontextmanager
async def running(consumer: Consumer, assignments: dict[int, Assignment]) -> AsyncIterator[Commits]:
    made = Commits(assignments, cast("CommandConsumer", consumer))
    task = asyncio.create_task(made.run())
    try:
        yield made
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@pytest.fixture(autouse=True)
def _short_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pause after a successful commit is long, so that a test times out if a failed commit counts as successful."""
    monkeypatch.setattr(commits, "PAUSE_SECONDS", HOUR)
    monkeypatch.setattr(commits, "RETRY_SECONDS", 0.0)


async def test_offsets_that_could_not_be_committed_are_committed_again() -> None:
    consumer = Consumer()
    consumer.released.set()
    async with running(consumer, owned([3])) as made:
        made.request(3, 42)
        assert await consumer.next() == {3: 42}
        assert await consumer.next() == {3: 42}


async def test_a_later_offset_replaces_one_that_could_not_be_committed() -> None:
    consumer = Consumer()
    async with running(consumer, owned([3, 4])) as made:
        made.request(3, 42)
        made.request(4, 7)
        assert await consumer.next() == {3: 42, 4: 7}
        made.request(3, 43)
        consumer.released.set()
        assert await consumer.next() == {3: 43, 4: 7}


async def test_offsets_of_a_partition_that_came_back_are_not_committed_again() -> None:
    consumer, assignments = Consumer(), owned([3, 4])
    async with running(consumer, assignments) as made:
        made.request(3, 42)
        made.request(4, 7)
        assert await consumer.next() == {3: 42, 4: 7}
        made.request(3, 43)
        assignments |= owned([3])
        made.leave(3)
        consumer.released.set()
        assert await consumer.next() == {4: 7}


class Coordinated:
    """A Kafka client whose coordinator commits offsets, or does not answer."""

    def __init__(self) -> None:
        self.answers = True
        self.committed: list[dict[TopicPartition, int]] = []

    async def commit(self, offsets: dict[TopicPartition, int]) -> None:
        if not self.answers:
            raise RequestTimedOutError
        self.committed.append(offsets)


async def test_a_subscriber_says_whether_offsets_are_committed() -> None:
    client = Coordinated()

    class Subscriber(CommandSubscriber):
        _consumer = cast("property", client)

    subscriber = Subscriber(Settings(kafka_bootstrap="127.0.0.1:1"), Topics("daybook."))
    assert await subscriber.commit({0: 1})
    assert client.committed == [{TopicPartition("daybook.commands", 0): 1}]
    client.answers = False
    assert not await subscriber.commit({0: 1})


async def test_a_commit_that_fails_does_not_undo_a_later_one() -> None:
    consumer = Consumer()
    made = Commits(owned([0]), cast("CommandConsumer", consumer))
    made.request(0, 10)
    first = asyncio.create_task(made.commit())
    assert await consumer.next() == {0: 10}
    made.request(0, 12)
    second = asyncio.create_task(made.commit())
    await asyncio.sleep(0)
    consumer.released.set()
    assert (await first, await second) == (False, True)
    await made.commit()
    assert [consumer.asked.get_nowait() for _ in range(consumer.asked.qsize())] == [{0: 12}]
