"""Projectors for tests: one in this process on real servers, or only its writer; a producer for hand-written logs."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from prometheus_client import CollectorRegistry

from daybook_contracts.log.head import NOTHING_PROJECTED
from daybook_contracts.topics import Topics
from daybook_infra.runtime.health import Health
from daybook_infra.runtime.kafka import clients as kafka
from daybook_infra.runtime.postgres.connections import Connection, Pool, close_pool, open_pool
from daybook_infra.runtime.settings import Settings
from daybook_projector.engine.report import ProjectorReport
from daybook_projector.main import project
from daybook_projector.metrics import Metrics
from daybook_projector.partition.batch_rows import Poison
from daybook_projector.partition.machine import Batch, PartitionLog
from daybook_projector.postgres.row_writer import Conflicts
from daybook_projector.postgres.writer import Writer
from daybook_projector.projections.fold import folds
from support.chain import Json
from support.logbook import Logbook, Place, records
from support.tables import Tables, differences, fold, read_tables

SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Projector:
    health: Health
    registry: CollectorRegistry

    def metric(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(name, labels) or 0.0

    async def stop_reason(self, partition: int) -> str:
        """Waits until the partition is stopped; returns the reason."""
        name, label = "daybook_projector_stopped", str(partition)
        await until(lambda: self.metric(name, partition=label) == 1, f"partition {partition} stops")
        return self.health.reasons[f"partition {partition}"]


@asynccontextmanager
async def projecting(settings: Settings) -> AsyncIterator[Projector]:
    """One instance, stopped as by a signal, or cancelled if the block fails. Its own failure is raised first."""
    stop, health, registry = asyncio.Event(), Health(), CollectorRegistry()
    task = asyncio.create_task(project(settings, ProjectorReport(health, Metrics(registry)), stop))
    try:
        yield Projector(health, registry)
    except BaseException:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        raise
    stop.set()
    await asyncio.wait_for(task, SECONDS)


@asynccontextmanager
async def database(settings: Settings) -> AsyncIterator[Pool]:
    pool = await open_pool(settings, "test")
    try:
        yield pool
    finally:
        await close_pool(pool)


async def publish(settings: Settings, log: Logbook) -> None:
    """Sends each partition's records in order, except those that were published before."""
    topic = Topics(settings.topic_prefix).audit_log
    producer = kafka.producer(settings, "test")
    await producer.start()
    try:
        acks = [
            await producer.send(topic, value=value, key=b"k", partition=partition)
            for partition, values in enumerate(log.records)
            for value in values[log.published[partition] :]
        ]
        await asyncio.gather(*acks)
        log.published = [len(values) for values in log.records]
    finally:
        await kafka.close_quietly(producer)


async def until(condition: Callable[[], bool | Awaitable[bool]], what: str, seconds: float = SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not (met if isinstance(met := condition(), bool) else await met):
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds} s: {what}")
        await asyncio.sleep(0.02)


async def projected(pool: Pool, log: Logbook) -> None:
    """Waits until every record, voids included, is behind its partition's checkpoint."""
    ends = {partition: len(values) for partition, values in enumerate(log.records) if values}

    async def is_done() -> bool:
        return await checkpoints(pool) == ends

    await until(is_done, f"checkpoints at {ends}, found {await checkpoints(pool)}")


async def is_lock_awaited(pool: Pool) -> bool:
    return bool(await pool.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"))


async def wait_for(pool: Pool, place: Place) -> None:
    """Waits for a place of the log as read clients do."""
    found = await pool.fetchval("SELECT daybook.wait_for($1, interval '20 seconds')", place.text)
    assert found, f"{place} is not projected"


async def checkpoints(pool: Pool) -> dict[int, int]:
    return {row[0]: row[1] for row in await pool.fetch("SELECT partition, next_offset FROM daybook.checkpoints")}


async def quarantine(pool: Pool) -> list[tuple[str, int, int]]:
    """Active ones: org, position, generation."""
    rows = await pool.fetch(
        "SELECT org_id::text, position, generation FROM daybook.quarantine WHERE released_at IS NULL ORDER BY org_id"
    )
    return [(row[0], row[1], row[2]) for row in rows]


async def tables(pool: Pool) -> Tables:
    async with pool.acquire() as connection:
        return await read_tables(connection)


def expected(log: Logbook, partitions: Iterable[int] | None = None) -> Tables:
    """An independent fold of all valid entries; users first, because their partitions may come later."""
    chosen = range(log.partitions) if partitions is None else partitions
    return fold(entry for partition in chosen for entry in entries_of(log, partition))


async def check_fold(pool: Pool, log: Logbook) -> None:
    """Raises AssertionError unless the tables are the fold of the log, and no org is in quarantine."""
    lines = differences(expected(log), await tables(pool))
    assert not lines, "\n".join(lines)
    assert await quarantine(pool) == []


def entries_of(log: Logbook, partition: int) -> list[Json]:
    parsed = [_parsed(value) for value in log.records[partition]]
    return [entry for entry in parsed if entry is not None]


def _parsed(value: bytes | None) -> Json | None:
    try:
        entry = json.loads(value or b"")
    except ValueError:
        return None
    return entry if isinstance(entry, dict) and "action" in entry else None


class StrictWriter(Writer):
    """Fails on a retry org by org: it would give the right tables too, but without poison nothing should cause one."""

    async def _write_by_org(self, connection: Connection, batch: Batch, conflicts: Conflicts) -> list[Poison]:
        raise AssertionError(f"the batch up to {batch.after} could not be written whole, after {conflicts}")


async def post(
    pool: Pool, log: Logbook, limit: int = 5000, *, managed: bool = True, kind: type[Writer] = Writer
) -> list[Poison]:
    """Writes a log without Kafka, partition by partition, in batches of at most `limit` entries."""
    writer, found = kind(pool, folds(managed_users=managed)), []
    for partition, values in enumerate(log.records):
        reader = PartitionLog(partition, NOTHING_PROJECTED, partitions=log.partitions)
        reader.take(records(values))
        while (batch := reader.next_batch(limit)) is not None:
            found += await writer.write(batch)
            reader.mark_projected(batch)
    return found


async def check_cuts(pool: Pool, log: Logbook, *limits: int) -> None:
    """Writes the log in batches of each of these sizes; each time the tables must be its fold."""
    for limit in limits:
        await empty(pool)
        assert await post(pool, log, limit, kind=StrictWriter) == []
        await check_fold(pool, log)


async def empty(pool: Pool) -> None:
    """Empties the tables, which no service may: only the owner can switch off the trigger of the log's table."""
    await pool.execute("""
        ALTER TABLE audit_log DISABLE TRIGGER audit_log_is_append_only;
        TRUNCATE auth.users, orgs, audit_log, daybook.checkpoints, daybook.quarantine, daybook.reserved_ids CASCADE;
        ALTER TABLE audit_log ENABLE ALWAYS TRIGGER audit_log_is_append_only;
    """)
