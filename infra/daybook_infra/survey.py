"""Where everything stands: Kafka and PostgreSQL are asked once; partitions, quarantine and versions out.
Changes nothing.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import (
    CoordinatorLoadInProgressError,
    GroupCoordinatorNotAvailableError,
    NotCoordinatorForGroupError,
)

from daybook_contracts.topics import Topics
from daybook_infra.errors import DaybookError
from daybook_infra.kafka import admin, close_quietly, consumer, reached
from daybook_infra.migrations import applied_migrations, verify_migrations
from daybook_infra.postgres import OwnConnection, connect
from daybook_infra.settings import Settings

# Kafka makes its offsets topic when a group is first asked for; until then it has no coordinator.
COORDINATOR_TRIES = 20
COORDINATOR_PAUSE_SECONDS = 0.25

CHECKPOINTS = "SELECT partition, next_offset, position FROM daybook.checkpoints"
QUARANTINE = """
SELECT org_id, partition, position, reason, generation, quarantined_at
FROM daybook.quarantine WHERE released_at IS NULL ORDER BY quarantined_at
"""


@dataclass(frozen=True, slots=True)
class PartitionState:
    """Offsets are Kafka's; `position` is the last projected entry's, -1 where there is none."""

    partition: int
    commands_end: int
    commands_done: int
    log_end: int
    projected_end: int
    position: int

    @property
    def commands_lag(self) -> int:
        return self.commands_end - self.commands_done

    @property
    def log_lag(self) -> int:
        return self.log_end - self.projected_end


@dataclass(frozen=True, slots=True)
class Quarantined:
    org_id: str
    partition: int
    position: int
    reason: str
    generation: int
    quarantined_at: datetime


@dataclass(frozen=True, slots=True)
class Survey:
    versions: Mapping[str, str]
    partitions: tuple[PartitionState, ...]
    quarantine: tuple[Quarantined, ...]


@dataclass(frozen=True, slots=True)
class KafkaState:
    cluster: str
    commands_done: Mapping[int, int]
    commands_end: Mapping[int, int]
    log_end: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class DatabaseState:
    version: str
    migrations: int
    checkpoints: Mapping[int, tuple[int, int]]
    quarantine: tuple[Quarantined, ...]


async def survey(settings: Settings) -> Survey:
    """Raises `DaybookError` where a server does not answer or was never set up."""
    kafka = await _kafka(settings)
    database = await _database(settings)
    return Survey(
        versions={
            "daybook": version("daybook-infra"),
            "kafka": kafka.cluster,
            "postgresql": database.version,
            "migrations": str(database.migrations),
        },
        partitions=tuple(_partition(number, kafka, database) for number in sorted(kafka.log_end)),
        quarantine=database.quarantine,
    )


def _partition(number: int, kafka: KafkaState, database: DatabaseState) -> PartitionState:
    projected_end, position = database.checkpoints.get(number, (0, -1))
    return PartitionState(
        partition=number,
        commands_end=kafka.commands_end.get(number, 0),
        commands_done=kafka.commands_done.get(number, 0),
        log_end=kafka.log_end[number],
        projected_end=projected_end,
        position=position,
    )


async def _kafka(settings: Settings) -> KafkaState:
    topics = Topics(settings.topic_prefix)
    async with admin(settings) as client:
        counts = {topic["topic"]: len(topic["partitions"]) for topic in await client.describe_topics()}
        missing = [name for name in (topics.commands, topics.audit_log) if not counts.get(name)]
        if missing:
            raise DaybookError(f"topic {missing[0]} does not exist: run `daybook init`")
        cluster = await client.describe_cluster()
        committed = await _committed(client, topics)
    # A command that retention took was answered or lost, but waits no more.
    first = await _offsets(settings, topics.commands, counts[topics.commands], end=False)
    return KafkaState(
        cluster=f"cluster {cluster['cluster_id']}, brokers: {len(cluster['brokers'])}",
        commands_done={number: max(offset, committed.get(number, 0)) for number, offset in first.items()},
        commands_end=await _offsets(settings, topics.commands, counts[topics.commands], end=True),
        log_end=await _offsets(settings, topics.audit_log, counts[topics.audit_log], end=True),
    )


async def _committed(client: AIOKafkaAdminClient, topics: Topics) -> dict[int, int]:
    for _ in range(COORDINATOR_TRIES):
        try:
            found = await client.list_consumer_group_offsets(topics.command_group)
        except (CoordinatorLoadInProgressError, GroupCoordinatorNotAvailableError, NotCoordinatorForGroupError):
            await asyncio.sleep(COORDINATOR_PAUSE_SECONDS)
        else:
            return {place.partition: meta.offset for place, meta in found.items() if place.topic == topics.commands}
    raise DaybookError(f"Kafka has no coordinator for group {topics.command_group}")


async def _offsets(settings: Settings, topic: str, count: int, *, end: bool) -> dict[int, int]:
    reader = consumer(settings, "daybook-status")
    places = [TopicPartition(topic, number) for number in range(count)]
    try:
        with reached(settings):
            await reader.start()
            found = await (reader.end_offsets(places) if end else reader.beginning_offsets(places))
    finally:
        await close_quietly(reader)
    return {place.partition: offset for place, offset in found.items()}


async def _database(settings: Settings) -> DatabaseState:
    await verify_migrations(settings)
    async with connect(settings, "daybook-status") as connection:
        return await _database_state(connection)


async def _database_state(connection: OwnConnection) -> DatabaseState:
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        return DatabaseState(
            version=str(await connection.fetchval("SHOW server_version")),
            migrations=len(await applied_migrations(connection)),
            checkpoints={number: (end, position) for number, end, position in await connection.fetch(CHECKPOINTS)},
            quarantine=tuple(Quarantined(str(org_id), *rest) for org_id, *rest in await connection.fetch(QUARANTINE)),
        )
