"""Collects the state of the system from Kafka and PostgreSQL: partitions, quarantine and versions. Read-only."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import (
    CoordinatorLoadInProgressError,
    GroupCoordinatorNotAvailableError,
    NotCoordinatorForGroupError,
    TopicAuthorizationFailedError,
)

from daybook_contracts.log.head import Checkpoint
from daybook_contracts.topics import Topics
from daybook_infra.operations.log_check import find_log_faults
from daybook_infra.runtime.errors import DaybookError
from daybook_infra.runtime.kafka.clients import admin, close_quietly, consumer
from daybook_infra.runtime.kafka.outages import translated
from daybook_infra.runtime.postgres.checkpoints import load_checkpoints
from daybook_infra.runtime.postgres.connections import OwnConnection, connect
from daybook_infra.runtime.postgres.migrations import applied_migrations, verify_migrations
from daybook_infra.runtime.settings import Settings

Offsets = dict[int, int]

# Kafka creates its offsets topic on the first request for a group; until then a group has no coordinator.
COORDINATOR_TRIES = 20
COORDINATOR_PAUSE_SECONDS = 0.25

QUARANTINE = """
SELECT org_id, partition, position, reason, generation, quarantined_at
FROM daybook.quarantine WHERE released_at IS NULL ORDER BY quarantined_at
"""


@dataclass(frozen=True, slots=True)
class PartitionState:
    """The ends are Kafka's offsets. `position` is that of the last projected entry, -1 if there is none.

    `fault`: why the log is not the one that was projected. Such a partition is stopped.
    """

    partition: int
    commands_end: int
    commands_done: int
    log_end: int
    projected_end: int
    position: int
    fault: str | None

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
class SystemStatus:
    versions: Mapping[str, str]
    partitions: tuple[PartitionState, ...]
    quarantine: tuple[Quarantined, ...]


@dataclass(frozen=True, slots=True)
class KafkaState:
    cluster: str
    commands_done: Mapping[int, int]
    commands_end: Mapping[int, int]
    log_partitions: int


@dataclass(frozen=True, slots=True)
class LogState:
    ends: Mapping[int, int]
    faults: Mapping[int, str]


@dataclass(frozen=True, slots=True)
class DatabaseState:
    version: str
    migrations: int
    checkpoints: Mapping[int, Checkpoint]
    quarantine: tuple[Quarantined, ...]


async def collect_status(settings: Settings) -> SystemStatus:
    """Raises `DaybookError` if a server does not answer or was never set up."""
    kafka = await _read_kafka(settings)
    database = await _read_database(settings)
    # The log's ends are read after the checkpoints, so that no end is behind its checkpoint.
    log = await _read_log(settings, kafka.log_partitions, database.checkpoints)
    return SystemStatus(
        versions={
            "daybook": version("daybook-infra"),
            "kafka": kafka.cluster,
            "postgresql": database.version,
            "migrations": str(database.migrations),
        },
        partitions=tuple(_partition_state(number, kafka, database, log) for number in sorted(log.ends)),
        quarantine=database.quarantine,
    )


def _partition_state(number: int, kafka: KafkaState, database: DatabaseState, log: LogState) -> PartitionState:
    checkpoint = database.checkpoints.get(number)
    return PartitionState(
        partition=number,
        commands_end=kafka.commands_end.get(number, 0),
        commands_done=kafka.commands_done.get(number, 0),
        log_end=log.ends[number],
        projected_end=0 if checkpoint is None else checkpoint.next_offset,
        position=-1 if checkpoint is None else checkpoint.head.position,
        fault=log.faults.get(number),
    )


async def _read_kafka(settings: Settings) -> KafkaState:
    topics = Topics(settings.topic_prefix)
    async with admin(settings) as client:
        described = await client.describe_topics([topics.commands, topics.audit_log])
        denied = [each["topic"] for each in described if each["error_code"] == TopicAuthorizationFailedError.errno]
        if denied:
            raise TopicAuthorizationFailedError(set(denied))
        counts = {topic["topic"]: len(topic["partitions"]) for topic in described}
        missing = [name for name in (topics.commands, topics.audit_log) if not counts.get(name)]
        if missing:
            raise DaybookError(
                f"topic {missing[0]} does not exist: run `daybook init`, or see docs/disasters.md if it was lost"
            )
        cluster = await client.describe_cluster()
        committed = await _read_committed_offsets(client, topics)
    # Commands that retention deleted count as done: nothing waits for them any more.
    first, end = await _read_bounds(settings, topics.commands, counts[topics.commands])
    return KafkaState(
        cluster=f"cluster {cluster['cluster_id']}, brokers: {len(cluster['brokers'])}",
        commands_done={number: max(offset, committed.get(number, 0)) for number, offset in first.items()},
        commands_end=end,
        log_partitions=counts[topics.audit_log],
    )


async def _read_committed_offsets(client: AIOKafkaAdminClient, topics: Topics) -> dict[int, int]:
    for _ in range(COORDINATOR_TRIES):
        try:
            found = await client.list_consumer_group_offsets(topics.command_group)
        except (CoordinatorLoadInProgressError, GroupCoordinatorNotAvailableError, NotCoordinatorForGroupError):
            await asyncio.sleep(COORDINATOR_PAUSE_SECONDS)
        else:
            return {place.partition: meta.offset for place, meta in found.items() if place.topic == topics.commands}
    raise DaybookError(f"Kafka has no coordinator for group {topics.command_group} yet: try again")


async def _read_log(settings: Settings, count: int, checkpoints: Mapping[int, Checkpoint]) -> LogState:
    topic = Topics(settings.topic_prefix).audit_log
    async with _started_reader(settings) as reader:
        starts, ends = await _read_offsets(reader, topic, count)
        bounds = {number: (starts[number], end) for number, end in ends.items()}
        return LogState(ends, await find_log_faults(reader, topic, bounds, checkpoints))


async def _read_bounds(settings: Settings, topic: str, count: int) -> tuple[Offsets, Offsets]:
    async with _started_reader(settings) as reader:
        return await _read_offsets(reader, topic, count)


async def _read_offsets(reader: AIOKafkaConsumer, topic: str, count: int) -> tuple[Offsets, Offsets]:
    """First and next offset of each partition."""
    places = [TopicPartition(topic, number) for number in range(count)]
    found = await reader.beginning_offsets(places), await reader.end_offsets(places)
    first, end = ({place.partition: offset for place, offset in offsets.items()} for offsets in found)
    return first, end


@asynccontextmanager
async def _started_reader(settings: Settings) -> AsyncIterator[AIOKafkaConsumer]:
    """A started consumer. Raises what `translated` raises."""
    reader = consumer(settings, "daybook-status")
    try:
        async with translated(settings):
            await reader.start()
            yield reader
    finally:
        await close_quietly(reader)


async def _read_database(settings: Settings) -> DatabaseState:
    await verify_migrations(settings)
    async with connect(settings, "daybook-status") as connection:
        return await _database_state(connection)


async def _database_state(connection: OwnConnection) -> DatabaseState:
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        return DatabaseState(
            version=str(await connection.fetchval("SHOW server_version")),
            migrations=len(await applied_migrations(connection)),
            checkpoints=await load_checkpoints(connection),
            quarantine=tuple(Quarantined(str(org_id), *rest) for org_id, *rest in await connection.fetch(QUARANTINE)),
        )
