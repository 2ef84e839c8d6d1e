"""A log that loses its end after a projector has looked where it ends: the partition stops. The worker gets its records
from a consumer without a group, because a group takes all partitions away while their topic is missing.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from prometheus_client import CollectorRegistry

from daybook_contracts.entries import facts
from daybook_contracts.topics import Topics
from daybook_infra.runtime.health import Health
from daybook_infra.runtime.http.serving import cancel_and_wait
from daybook_infra.runtime.kafka import clients
from daybook_infra.runtime.postgres.connections import Pool
from daybook_infra.runtime.settings import Settings
from daybook_projector.engine import worker as worker_module
from daybook_projector.engine.group_commit import open_group_commit
from daybook_projector.engine.report import ProjectorReport
from daybook_projector.engine.worker import Worker, WorkerContext
from daybook_projector.kafka.feed import Feed
from daybook_projector.kafka.log_bounds import LogBounds
from daybook_projector.metrics import Metrics
from daybook_projector.postgres.users import AuthUsers
from daybook_projector.postgres.writer import Writer
from daybook_projector.projections.fold import folds
from support.logbook import log_with, org, user
from support.projecting import post, publish, recreate_log

ORG, ANN = org(1), user(1)
LEFT = 2
"""How many records are left of the log."""


class BoundsBeforeTheLoss(LogBounds):
    """The log loses its end after its bounds were first read."""

    def __init__(self, settings: Settings, consumer: AIOKafkaConsumer, left: list[bytes | None]) -> None:
        super().__init__(settings, consumer)
        self._lose = [lambda: recreate_log(settings, left)]

    async def read_bounds(self, partition: int) -> tuple[int, int]:
        found = await super().read_bounds(partition)
        if self._lose:
            await self._lose.pop()()
        return found


@asynccontextmanager
async def working(settings: Settings, pool: Pool, health: Health, left: list[bytes | None]) -> AsyncIterator[Worker]:
    consumer = await clients.start(clients.consumer(settings, "test", bulk=True))
    source = TopicPartition(Topics(settings.topic_prefix).audit_log, 0)
    consumer.assign([source])
    feed = Feed(consumer, source)
    feeding = asyncio.create_task(fill(feed, consumer))
    bounds, writer = BoundsBeforeTheLoss(settings, consumer, left), Writer(pool, folds(managed_users=True))
    try:
        async with open_group_commit(writer) as groups:
            context = WorkerContext(
                bounds=bounds,
                writer=writer,
                groups=groups,
                users=AuthUsers(pool, 1, bounds.read_end, managed=True),
                report=ProjectorReport(health, Metrics(CollectorRegistry())),
                partitions=1,
                write_slots=asyncio.Semaphore(1),
            )
            yield Worker(0, feed, context)
    finally:
        await cancel_and_wait(feeding)
        await clients.close_quietly(consumer)


async def fill(feed: Feed, consumer: AIOKafkaConsumer) -> None:
    while True:
        for records in (await consumer.getmany(timeout_ms=200)).values():
            feed.put(records)


@pytest.mark.parametrize(
    ("projected", "reason"),
    [
        (0, "the log ends at offset 2, but ended at 4 when the partition was taken over"),
        (3, "the log ends at offset 2, before the checkpoint's 3"),
    ],
)
async def test_a_log_that_loses_its_end_while_it_is_read_stops_its_partition(
    settings: Settings, pool: Pool, monkeypatch: pytest.MonkeyPatch, projected: int, reason: str
) -> None:
    """With 3 projected records, the worker begins to read at offset 2. The log now ends there, so without a check the
    worker would wait for a record that does not exist.
    """
    monkeypatch.setattr(worker_module, "IDLE_SECONDS", 0.5)
    log, health = log_with(ORG, users=[ANN], partitions=1), Health()
    log.add(ORG, ANN, facts.OrgRenamed(name="b"))
    if projected:
        await post(pool, log)
    log.add(ORG, ANN, facts.OrgRenamed(name="c"))
    await publish(settings, log)
    async with working(settings, pool, health, log.records[0][:LEFT]) as worker, asyncio.timeout(30):
        await worker.run()
    assert health.reasons["partition 0"] == f"stopped: {reason}"
