"""Wires one instance of the projector together: settings in, a running instance out. No other module wires parts."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from aiokafka import AIOKafkaConsumer
from prometheus_client import CollectorRegistry
from starlette.types import ASGIApp

from daybook_contracts.topics import Topics
from daybook_infra.runtime.health import Health
from daybook_infra.runtime.http.callers import Callers
from daybook_infra.runtime.http.headers import with_cors
from daybook_infra.runtime.http.serving import cancel_and_wait, serve
from daybook_infra.runtime.http.sites import sites
from daybook_infra.runtime.kafka import clients as kafka
from daybook_infra.runtime.kafka.outages import translated
from daybook_infra.runtime.kafka.paced_fetching import Pace, pace_fetches
from daybook_infra.runtime.logs import get_logger
from daybook_infra.runtime.postgres.connections import Pool, close_pool, keep_session, open_pool
from daybook_infra.runtime.retrying import retry_at_start
from daybook_infra.runtime.services_file import load_service_policy
from daybook_infra.runtime.settings import Settings, has_token_keys, split_origins
from daybook_infra.runtime.startup import freeze_startup_objects, verify_servers
from daybook_projector.engine.group_commit import GROUPS, GroupCommit, open_group_commit
from daybook_projector.engine.monitoring import monitor
from daybook_projector.engine.report import ProjectorReport
from daybook_projector.engine.worker import Worker, WorkerContext
from daybook_projector.http.app import create_app
from daybook_projector.kafka.log_bounds import LogBounds
from daybook_projector.kafka.log_consumer import LogConsumer
from daybook_projector.metrics import Metrics, ReadMetrics
from daybook_projector.postgres.privileges import required_privileges
from daybook_projector.postgres.users import AuthUsers
from daybook_projector.postgres.writer import Writer
from daybook_projector.projections.fold import folds
from daybook_projector.read_api.app import ANSWER_HEADERS, REQUEST_HEADERS, mount_read_api
from daybook_projector.read_api.database import ReadDatabase, open_read_pool
from daybook_projector.read_api.pages import Pages
from daybook_projector.read_api.positions import ProjectedPositions
from daybook_projector.read_api.routes import ReadDependencies
from daybook_projector.read_api.stream.hub import Hub
from daybook_projector.read_api.stream.log_reads import TickReads

log = get_logger(__name__)

NAME = "daybook-projector"
# How many batches that could not be written in a group may be written at the same time, each in a transaction of its
# own.
WRITE_SLOTS = 2
# Two more connections are for look-ups: of users and of quarantined orgs.
CONNECTIONS = GROUPS + WRITE_SLOTS + 2
STREAM_CONNECTIONS = 1
# Every statement that writes finds rows by their keys. One generic plan serves all batches, so the server need not plan
# again for each; but the plan must use the indexes even if it was made while the tables were empty.
SESSION = {
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
}
# After a fetch has returned entries, the next one waits this long, so that entries that arrive meanwhile share a
# fetch and a transaction. The more entries arrive, the longer it waits: the longest at DENSE_ENTRIES a second. This
# delays an entry by at most one such pause.
FETCH_PAUSE_SECONDS = 0.02
LONGEST_PAUSE_SECONDS = 0.05
DENSE_ENTRIES = 1_000
# Time to finish the batches in progress and to leave the consumer group. A batch that is not finished by then is
# repeated by the next owner of its partition.
STOP_SECONDS = 20.0


async def run_service(settings: Settings, host: str, port: int) -> None:
    """Runs one instance until SIGTERM or SIGINT. Raises `DaybookError` if it cannot start. Any other exception is a
    bug.
    """
    started, stop, health, registry = asyncio.Event(), asyncio.Event(), Health(), CollectorRegistry()
    projecting = asyncio.create_task(project(settings, ProjectorReport(health, Metrics(registry)), stop, started))
    projecting.add_done_callback(lambda _: stop.set())
    try:
        async with open_app(settings, health, registry, stop) as app:
            await serve(sites(app, (host, port), settings, health, registry), stop)
        # Before the projector has started, no batch is in progress, and servers that are away could delay the stop.
        await asyncio.wait({projecting}, timeout=STOP_SECONDS if started.is_set() else 0)
    finally:
        await cancel_and_wait(projecting)


@asynccontextmanager
async def open_app(
    settings: Settings, health: Health, registry: CollectorRegistry, stop: asyncio.Event
) -> AsyncIterator[ASGIApp]:
    """The HTTP app, with the read API if the settings have keys to verify tokens with. Streams end at `stop`. If a bug
    ends the hub that feeds them, this sets `stop`, and raises the bug at the end.
    """
    app = create_app(health, registry, details=settings.admin_port is None)
    if not has_token_keys(settings):
        log.warning("read_api_off", reason="no key is set to verify tokens with")
        yield app
        return
    policy = load_service_policy(settings)
    callers = Callers(settings, policy)
    async with AsyncExitStack() as closing:
        pool = await open_read_pool(settings, f"{NAME}-read")
        closing.push_async_callback(close_pool, pool)
        # A pool of its own, so that pages never delay the streams.
        stream_pool = await open_read_pool(settings, f"{NAME}-stream", STREAM_CONNECTIONS)
        closing.push_async_callback(close_pool, stream_pool)
        database, metrics = ReadDatabase(pool), ReadMetrics(registry)
        pages, positions = Pages(database, settings.partitions), ProjectedPositions(database)
        hub = Hub(TickReads(ReadDatabase(stream_pool)), metrics)
        mount_read_api(app, ReadDependencies(settings, policy, callers, pages, positions), database, hub, metrics)
        # In no TaskGroup, because that would wrap the errors of those who use the app.
        feeding = asyncio.create_task(hub.run(stop))
        feeding.add_done_callback(lambda _: stop.set())
        closing.push_async_callback(cancel_and_wait, feeding)
        origins = split_origins(settings.cors_origins)
        yield with_cors(app, origins, request_headers=REQUEST_HEADERS, answer_headers=ANSWER_HEADERS)


async def project(settings: Settings, report: ProjectorReport, stop: asyncio.Event, started: asyncio.Event) -> None:
    """Projects until `stop`, without HTTP. Sets `started` when it has connected."""
    topics = Topics(settings.topic_prefix)
    await verify_servers(
        settings, required_privileges(managed_users=settings.users == "managed"), topics.projector_group
    )
    async with _opened_pool(settings) as pool, _running_consumer(settings) as consumer:
        bounds = LogBounds(settings, consumer)
        writer = Writer(pool, folds(managed_users=settings.users == "managed"))
        async with asyncio.TaskGroup() as tasks, open_group_commit(writer) as groups:
            context = _worker_context(settings, pool, bounds, writer, groups, report)
            log = LogConsumer(settings, consumer, lambda number, feed: Worker(number, feed, context), report)
            freeze_startup_objects()
            started.set()
            tasks.create_task(monitor(log, bounds, pool, report, stop))
            await log.run(stop)


def _worker_context(
    settings: Settings, pool: Pool, bounds: LogBounds, writer: Writer, groups: GroupCommit, report: ProjectorReport
) -> WorkerContext:
    return WorkerContext(
        bounds=bounds,
        writer=writer,
        groups=groups,
        users=AuthUsers(pool, settings.partitions, bounds.read_end, managed=settings.users == "managed"),
        report=report,
        partitions=settings.partitions,
        write_slots=asyncio.Semaphore(WRITE_SLOTS),
    )


@asynccontextmanager
async def _opened_pool(settings: Settings) -> AsyncIterator[Pool]:
    pool = await retry_at_start(
        lambda: open_pool(settings, NAME, max_size=CONNECTIONS, session=SESSION, reset=keep_session)
    )
    try:
        yield pool
    finally:
        await close_pool(pool)


@asynccontextmanager
async def _running_consumer(settings: Settings) -> AsyncIterator[AIOKafkaConsumer]:
    consumer = await retry_at_start(lambda: _started_consumer(settings))
    try:
        yield consumer
    finally:
        await kafka.close_quietly(consumer)


async def _started_consumer(settings: Settings) -> AIOKafkaConsumer:
    group = Topics(settings.topic_prefix).projector_group
    async with translated(settings):
        consumer = await kafka.start(kafka.consumer(settings, NAME, group=group, bulk=True))
    pace_fetches(consumer, Pace(FETCH_PAUSE_SECONDS, longest=LONGEST_PAUSE_SECONDS, dense=DENSE_ENTRIES))
    return consumer
