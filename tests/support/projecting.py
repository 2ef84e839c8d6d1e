"""Runs a projector, or only its writer, in this process on real servers. Publishes logs from `support.logbook`."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from prometheus_client import CollectorRegistry

from daybook_contracts.log.head import NOTHING_PROJECTED
from daybook_contracts.topics import Topics
from daybook_infra.runtime.health import Health
from daybook_infra.runtime.kafka import clients as kafka
from daybook_infra.runtime.kafka.topics import ensure_topics
from daybook_infra.runtime.postgres.connections import Connection, Pool, close_pool, open_pool
from daybook_infra.runtime.settings import Settings
from daybook_projector.engine.report import ProjectorReport
from daybook_projector.main import project
from daybook_projector.metrics import Metrics
from daybook_projector.partition.batch_rows import Poison
from daybook_projector.partition.machine import Batch, PartitionLog
from daybook_projector.partition.missing_users import first_absent, required_users
from daybook_projector.postgres.row_writer import Conflicts
from daybook_projector.postgres.users import UsersLost, absent_users
from daybook_projector.postgres.writer import Writer
from daybook_projector.projections.fold import folds
from support.chain import Json
from support.logbook import Logbook, Place, records
from support.tables import Tables, differences, fold, read_tables

SECONDS = 30.0
EMPTY_TABLES = """
ALTER TABLE audit_log DISABLE TRIGGER audit_log_is_append_only;
TRUNCATE auth.users, orgs, audit_log, daybook.checkpoints, daybook.quarantine, daybook.reserved_ids CASCADE;
ALTER TABLE audit_log ENABLE ALWAYS TRIGGER audit_log_is_append_only;
"""


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
    """Runs a projector. At the end, stops it as a signal does, or cancels it if the block has failed. If the projector
    itself fails, raises its exception.
    """
    stop, health, registry = asyncio.Event(), Health(), CollectorRegistry()
    task = asyncio.create_task(project(settings, ProjectorReport(health, Metrics(registry)), stop, asyncio.Event()))
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


async def recreate_log(settings: Settings, *records: Sequence[bytes | None]) -> None:
    """Deletes the log's topic, and makes it again with these records of each partition."""
    async with kafka.admin(settings) as client:
        await client.delete_topics([Topics(settings.topic_prefix).audit_log])
    await ensure_topics(settings)
    log = Logbook(settings.partitions)
    log.records = [[*each] for each in records]
    await publish(settings, log)


async def until(
    condition: Callable[[], bool | Awaitable[bool]], what: str | Callable[[], str], seconds: float = SECONDS
) -> None:
    """`what`: what is waited for. A function is called only when the time is up, so it can describe the state then."""
    deadline = time.monotonic() + seconds
    while not (met if isinstance(met := condition(), bool) else await met):
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds} s: {what if isinstance(what, str) else what()}")
        await asyncio.sleep(0.02)


async def until_projected(pool: Pool, log: Logbook) -> None:
    """Waits until each partition's checkpoint is at the end of its records, voids included."""
    ends = {partition: len(values) for partition, values in enumerate(log.records) if values}
    found: dict[int, int] = {}

    async def is_done() -> bool:
        nonlocal found
        found = await checkpoints(pool)
        return found == ends

    await until(is_done, lambda: f"checkpoints at {ends}, found {found}")


async def is_lock_awaited(pool: Pool) -> bool:
    return bool(await pool.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"))


async def wait_for(pool: Pool, place: Place) -> None:
    """Waits with `daybook.wait_for`, as read clients do, until the entry at this place is projected."""
    found = await pool.fetchval("SELECT daybook.wait_for($1, interval '20 seconds')", place.text)
    assert found, f"{place} is not projected"


async def checkpoints(pool: Pool) -> dict[int, int]:
    return {row[0]: row[1] for row in await pool.fetch("SELECT partition, next_offset FROM daybook.checkpoints")}


async def quarantine(pool: Pool) -> list[tuple[str, int, int]]:
    """The orgs in quarantine: (org, position, generation)."""
    rows = await pool.fetch(
        "SELECT org_id::text, position, generation FROM daybook.quarantine WHERE released_at IS NULL ORDER BY org_id"
    )
    return [(row[0], row[1], row[2]) for row in rows]


async def tables(pool: Pool) -> Tables:
    async with pool.acquire() as connection:
        return await read_tables(connection)


def expected_tables(log: Logbook, partitions: Iterable[int] | None = None) -> Tables:
    """The tables that the tests' own fold makes of the log. It skips only void records that are not entries."""
    chosen = range(log.partitions) if partitions is None else partitions
    return fold(entry for partition in chosen for entry in entries_of(log, partition))


async def check_fold(pool: Pool, log: Logbook) -> None:
    """Raises AssertionError unless the tables are the fold of the log and no org is in quarantine."""
    lines = differences(expected_tables(log), await tables(pool))
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
    """Fails if a batch is retried org by org. The tables would be right, but only poison may cause such a retry."""

    async def _write_by_org(self, connection: Connection, batch: Batch, conflicts: Conflicts) -> list[Poison]:
        raise AssertionError(f"the batch up to {batch.after} could not be written whole, after {conflicts}")


async def post(
    pool: Pool, log: Logbook, limit: int = 5000, *, managed: bool = True, kind: type[Writer] = Writer
) -> list[Poison]:
    """Writes a log without Kafka, partition by partition, in batches of at most `limit` entries. An entry that adds
    a user who does not exist is poison, as for a worker that has waited for the user.
    """
    writer, found = kind(pool, folds(managed_users=managed)), []
    for partition, values in enumerate(log.records):
        reader = PartitionLog(partition, NOTHING_PROJECTED, partitions=log.partitions)
        reader.take(records(values))
        while (batch := reader.next_batch(limit)) is not None:
            try:
                found += await writer.write(batch)
            except UsersLost:
                required = required_users(batch.entries)
                missing = first_absent(required, await absent_users(pool, required.keys()))
                assert missing is not None
                assert not missing.is_actor, f"actor {missing.user_id} does not exist"
                reader.mark_poison(missing.index, f"user {missing.user_id} does not exist")
            else:
                reader.mark_projected(batch)
    return found


async def check_cuts(pool: Pool, log: Logbook, *limits: int) -> None:
    """Writes the log once for each limit, in batches of at most that many entries, and compares the tables with the
    log's fold each time.
    """
    for limit in limits:
        await empty_tables(pool)
        assert await post(pool, log, limit, kind=StrictWriter) == []
        await check_fold(pool, log)


async def empty_tables(pool: Pool) -> None:
    """Empties the tables. Only their owner can do this, because it switches off the trigger of `audit_log`."""
    await pool.execute(EMPTY_TABLES)
