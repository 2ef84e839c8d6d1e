"""The composition root of the command service: settings in, one running instance.
Nothing is wired anywhere else.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from fastapi import FastAPI
from prometheus_client import REGISTRY

from daybook_command.asyncapi import mount_asyncapi
from daybook_command.engine import Engine
from daybook_command.http.app import create_app
from daybook_command.http.ports import DoorDeps
from daybook_command.known_users import KnownUsers
from daybook_command.lanes import Lanes
from daybook_command.log_reader import LogReader
from daybook_command.log_writer import LogWriter
from daybook_command.outbox import Outbox
from daybook_command.outcomes import OutcomeReader
from daybook_command.overdue import OverdueRuns
from daybook_command.publisher import Publisher
from daybook_command.replies import Replies
from daybook_command.shard.machine import Config
from daybook_command.snapshot_reader import SnapshotReader
from daybook_command.subscriber import CommandIntake
from daybook_contracts.topics import Topics
from daybook_infra.booting import once_up, verified
from daybook_infra.errors import SettingsError
from daybook_infra.health import Health
from daybook_infra.http.headers import with_cors
from daybook_infra.http.sites import sites
from daybook_infra.logs import get_logger
from daybook_infra.postgres import Pool, close_pool, open_pool
from daybook_infra.serving import end, serve, settle_garbage
from daybook_infra.settings import Settings, split_origins

log = get_logger(__name__)

# What was taken when the stop came may still be decided, answered and committed.
DRAIN_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Service:
    app: FastAPI
    engine: Engine
    intake: CommandIntake
    health: Health


async def run_service(settings: Settings, host: str, port: int) -> None:
    """One instance until it is told to stop. Raises DaybookError where it cannot start; a bug ends it."""
    if settings.jwt_secret is None and settings.jwks_url is None:
        raise SettingsError(
            "neither DAYBOOK_JWT_SECRET nor DAYBOOK_JWKS_URL is set: nobody could be told from anybody else"
        )
    stop = asyncio.Event()
    async with open_service(settings) as service:
        deciding = asyncio.create_task(service.engine.run())
        deciding.add_done_callback(lambda _: stop.set())
        await once_up(lambda: service.intake.start(service.engine))
        settle_garbage()
        log.info("serving", host=host, port=port)
        try:
            app = with_cors(service.app, split_origins(settings.cors_origins))
            await serve(sites(app, (host, port), settings, service.health, REGISTRY), stop)
        finally:
            if not deciding.done():
                await service.engine.drain(DRAIN_SECONDS)
            await service.intake.stop()
            await end(deciding)
    log.info("stopped")


@asynccontextmanager
async def open_service(settings: Settings) -> AsyncIterator[Service]:
    """Everything but the group's consumer is connected; closed in the opposite order."""
    topics = Topics(settings.topic_prefix)
    health = Health()
    await verified(settings)
    async with AsyncExitStack() as closing:
        pool = await once_up(lambda: open_pool(settings, "daybook-command"))
        closing.push_async_callback(close_pool, pool)
        replies = Replies(settings, topics.results)
        await once_up(replies.start)
        closing.push_async_callback(replies.stop)
        publisher = Publisher(settings, topics.commands)
        closing.push_async_callback(publisher.stop)
        health.watch("replies", lambda: replies.fault)
        health.watch("publisher", lambda: publisher.fault)
        intake = CommandIntake(settings, topics)
        lanes = _lanes(settings, topics, pool, replies, health, closing)
        engine = Engine(_config(settings), lanes, intake, health)
        users = KnownUsers(pool)
        app = create_app(DoorDeps(settings, publisher, replies, users, OutcomeReader(pool), health))
        mount_asyncapi(app, intake.broker)
        yield Service(app, engine, intake, health)


def _lanes(
    settings: Settings, topics: Topics, pool: Pool, replies: Replies, health: Health, closing: AsyncExitStack
) -> Lanes:
    reader = LogReader(settings, topics.audit_log)
    closing.push_async_callback(reader.stop)
    writer = LogWriter(settings, topics.audit_log)
    closing.push_async_callback(writer.stop)
    health.watch("log", lambda: writer.fault)
    outbox = Outbox(settings, topics, replies)
    closing.push_async_callback(outbox.stop)
    snapshots = SnapshotReader(pool, managed_users=settings.users == "managed")
    overdue_runs = OverdueRuns(pool, partitions=settings.partitions, limit_seconds=settings.sync_max_seconds)
    return Lanes(reader, writer, snapshots, overdue_runs, outbox, health)


def _config(settings: Settings) -> Config:
    return Config(
        partitions=settings.partitions,
        # So many in all, should every partition be ours.
        cache_orgs=max(1, settings.cache_orgs // settings.partitions),
        max_tail=settings.max_tail,
        managed_users=settings.users == "managed",
    )
