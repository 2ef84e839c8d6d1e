"""Where the projector is put together: settings in, a running service out. Nothing else is wired anywhere."""

import asyncio
import gc
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError
from prometheus_client import CollectorRegistry

from daybook_contracts.topics import Topics
from daybook_infra import kafka
from daybook_infra.errors import KafkaAway
from daybook_infra.health import Health
from daybook_infra.postgres import Pool, close_pool, open_pool
from daybook_infra.settings import Settings
from daybook_infra.topics import verify_topics
from daybook_projector.http import make_server
from daybook_projector.log_bounds import LogBounds
from daybook_projector.metrics import Metrics
from daybook_projector.observation import observe
from daybook_projector.projections.fold import folds
from daybook_projector.reader import MakeWorker, Reader
from daybook_projector.report import Report
from daybook_projector.users import Users
from daybook_projector.worker import Desk, Worker
from daybook_projector.writer import Writer

NAME = "daybook-projector"
# Two connections write, so that Python and PostgreSQL overlap; the others look for users and at the quarantine.
WRITERS = 2
CONNECTIONS = WRITERS + 2


async def serve(settings: Settings, host: str, port: int) -> None:
    """Until SIGTERM or SIGINT. Raises `DaybookError` where the servers or topics are not as they must be."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    health, registry = Health(), CollectorRegistry()
    tune_garbage_collection()
    report = Report(health, Metrics(registry))
    server = make_server(health, registry, host, port)
    serving = asyncio.create_task(server.serve())
    try:
        await project(settings, report, stop)
    finally:
        server.should_exit = True
        await serving


async def project(settings: Settings, report: Report, stop: asyncio.Event) -> None:
    """The projection without its HTTP, until `stop`."""
    await verify_topics(settings)
    async with _pool(settings) as pool, _consumer(settings) as consumer:
        topic = Topics(settings.topic_prefix).audit_log
        bounds = LogBounds(consumer, topic)
        reader = Reader(consumer, topic, _worker_maker(settings, pool, bounds, report), report)
        async with asyncio.TaskGroup() as group:
            group.create_task(observe(reader, bounds, pool, report, stop))
            await reader.run(stop)


def tune_garbage_collection() -> None:
    """Entries live for one batch; looking at all that lives for ever each time would cost 2-4 times as much."""
    gc.freeze()
    gc.set_threshold(50_000, 50, 100)


def _worker_maker(settings: Settings, pool: Pool, bounds: LogBounds, report: Report) -> MakeWorker:
    managed = settings.users == "managed"
    desk = Desk(
        bounds=bounds,
        writer=Writer(pool, folds(managed_users=managed)),
        users=Users(pool, settings.partitions, bounds.end, managed=managed),
        report=report,
        slots=asyncio.Semaphore(WRITERS),
    )
    return lambda partition, feed: Worker(partition, feed, desk)


@asynccontextmanager
async def _pool(settings: Settings) -> AsyncIterator[Pool]:
    pool = await open_pool(settings, NAME, max_size=CONNECTIONS)
    try:
        yield pool
    finally:
        await close_pool(pool)


@asynccontextmanager
async def _consumer(settings: Settings) -> AsyncIterator[AIOKafkaConsumer]:
    group = Topics(settings.topic_prefix).projector_group
    consumer = kafka.consumer(settings, NAME, group=group, bulk=True)
    try:
        await consumer.start()
    except KafkaError as error:
        await kafka.close_quietly(consumer)
        raise KafkaAway(f"Kafka is not reachable at {settings.kafka_bootstrap}") from error
    try:
        yield consumer
    finally:
        await kafka.close_quietly(consumer)
