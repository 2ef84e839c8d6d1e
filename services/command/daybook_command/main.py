"""The composition root of the command service: makes a running instance from the settings. No other module connects
the parts.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from fastapi import FastAPI
from prometheus_client import REGISTRY

from daybook_client.kafka.command_publisher import CommandPublisher
from daybook_client.kafka.replies import Replies
from daybook_command.engine.effect_runner import EffectRunner
from daybook_command.engine.engine import Engine
from daybook_command.engine.registrations import Registrations
from daybook_command.http.app import create_app, with_web_apps
from daybook_command.http.deliveries import Deliveries
from daybook_command.http.dependencies import DoorDependencies
from daybook_command.kafka.answer_publisher import AnswerPublisher
from daybook_command.kafka.command_subscriber import CommandSubscriber
from daybook_command.kafka.log_reader import LogReader
from daybook_command.kafka.log_writer import LogWriter
from daybook_command.postgres import child_sql
from daybook_command.postgres.known_users import KnownUsers
from daybook_command.postgres.outcomes import OutcomeReader
from daybook_command.postgres.overdue_runs import OverdueRuns
from daybook_command.postgres.privileges import required_privileges
from daybook_command.postgres.snapshot_reader import SnapshotReader
from daybook_command.shard.state import ShardConfig
from daybook_contracts.senders.policy import ServicePolicy
from daybook_contracts.senders.sender_rules import SenderRules
from daybook_contracts.topics import Topics
from daybook_infra.runtime.health import Health
from daybook_infra.runtime.http.serving import cancel_and_wait, serve
from daybook_infra.runtime.http.sites import sites
from daybook_infra.runtime.kafka.options import MIB, connection_of
from daybook_infra.runtime.logs import get_logger
from daybook_infra.runtime.postgres.connections import Pool, close_pool, keep_session, open_pool
from daybook_infra.runtime.retrying import retry_at_start
from daybook_infra.runtime.services_file import load_service_policy
from daybook_infra.runtime.settings import Settings, require_token_keys
from daybook_infra.runtime.startup import freeze_startup_objects, verify_servers

log = get_logger(__name__)

# How long the HTTP door tries to publish a command. Long enough for a broker's restart or a leader election; HTTP
# clients do not wait much longer.
PUBLISH_SECONDS = 5.0
# How long a stopping instance may take to decide, answer and commit the commands that it has taken.
DRAIN_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class RunningService:
    app: FastAPI
    engine: Engine
    subscriber: CommandSubscriber
    health: Health


async def run_service(settings: Settings, host: str, port: int) -> None:
    """Runs one instance until SIGTERM or SIGINT. Raises DaybookError if it cannot start, and the exception of a bug."""
    require_token_keys(settings)
    policy = load_service_policy(settings)
    if policy is not None:
        log.info("service_policy_loaded", services=len(policy.grants))
    async with open_service(settings, policy) as service:
        freeze_startup_objects()
        await run_opened(service, settings, host, port)
    log.info("stopped")


async def run_opened(service: RunningService, settings: Settings, host: str, port: int) -> None:
    """Joins the group and serves. The engine no longer runs when this returns or raises, so the connections that it
    uses can be closed.
    """
    stop = asyncio.Event()
    deciding = asyncio.create_task(service.engine.run())
    deciding.add_done_callback(lambda _: stop.set())
    try:
        await retry_at_start(lambda: service.subscriber.start(service.engine))
        log.info("serving", host=host, port=port)
        app = with_web_apps(service.app, settings)
        await serve(sites(app, (host, port), settings, service.health, REGISTRY), stop)
    finally:
        if not deciding.done():
            await service.engine.drain(DRAIN_SECONDS)
        await service.subscriber.stop()
        await cancel_and_wait(deciding)


@asynccontextmanager
async def open_service(settings: Settings, policy: ServicePolicy | None) -> AsyncIterator[RunningService]:
    """Connects everything except the group's consumer, and closes it in reverse order."""
    topics = Topics(settings.topic_prefix)
    health = Health()
    await verify_servers(settings, required_privileges(managed_users=settings.users == "managed"), topics.command_group)
    async with AsyncExitStack() as closing:
        pool = await retry_at_start(
            lambda: open_pool(settings, "daybook-command", session=child_sql.SESSION, reset=keep_session)
        )
        closing.push_async_callback(close_pool, pool)
        connection = connection_of(settings)
        replies = Replies(connection, topics.results, "daybook-command-replies", partitions=settings.partitions)
        await retry_at_start(replies.start)
        closing.push_async_callback(replies.stop)
        publisher = CommandPublisher(connection, topics.commands, "daybook-command-door", PUBLISH_SECONDS)
        closing.push_async_callback(publisher.stop)
        health.watch("replies", lambda: replies.fault)
        health.watch("publisher", lambda: publisher.fault)
        subscriber = CommandSubscriber(settings, topics)
        health.watch("kafka", lambda: subscriber.fault)
        effects = _effect_runner(settings, topics, pool, replies, health, closing)
        engine = Engine(_config(settings, policy), effects, subscriber, health)
        deliveries = Deliveries(publisher, engine.local)
        closing.push_async_callback(deliveries.stop)
        engine.local.door = deliveries
        # A separate pool, so that HTTP requests do not use up the shards' connections.
        door_pool = await retry_at_start(lambda: open_pool(settings, "daybook-command-door", reset=keep_session))
        closing.push_async_callback(close_pool, door_pool)
        ends = subscriber.ends, effects.read_log_ends
        registrations = Registrations(engine.local.assignments, *ends, settings.partitions, deliveries.is_under_way)
        users = KnownUsers(door_pool, registrations if settings.users == "managed" else None)
        outcomes = OutcomeReader(door_pool)
        app = create_app(DoorDependencies(settings, deliveries, replies, users, outcomes, health, policy))
        yield RunningService(app, engine, subscriber, health)


def _effect_runner(
    settings: Settings, topics: Topics, pool: Pool, replies: Replies, health: Health, closing: AsyncExitStack
) -> EffectRunner:
    reader = LogReader(settings, topics.audit_log)
    closing.push_async_callback(reader.stop)
    writer = LogWriter(settings, topics.audit_log)
    closing.push_async_callback(writer.stop)
    health.watch("log", lambda: writer.fault)
    answers = AnswerPublisher(settings, topics, replies)
    closing.push_async_callback(answers.stop)
    snapshots = SnapshotReader(pool)
    overdue_runs = OverdueRuns(pool, partitions=settings.partitions, limit_seconds=settings.sync_max_seconds)
    return EffectRunner(reader, writer, snapshots, overdue_runs, answers, health)


def _config(settings: Settings, policy: ServicePolicy | None) -> ShardConfig:
    return ShardConfig(
        partitions=settings.partitions,
        # The setting is the total for a process that owns all partitions.
        cache_bytes=int(settings.cache_mib * MIB / settings.partitions),
        max_tail=int(settings.max_tail_mib * MIB),
        managed_users=settings.users == "managed",
        rules=SenderRules(policy, settings.secret_ref_prefix),
    )
