"""The projector on real servers, with another writer of the tables, outages of PostgreSQL, and signals."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import httpx
import pytest

from daybook_contracts.entries import facts
from daybook_infra.runtime.postgres.connections import Pool
from daybook_infra.runtime.settings import Settings
from daybook_infra.stack.interface import Servers
from daybook_projector.partition.machine import PartitionLog
from daybook_projector.postgres.writer import Writer
from daybook_projector.projections.fold import folds
from support.logbook import Logbook, log_with, org, records, user
from support.processes import System
from support.projecting import (
    check_fold,
    checkpoints,
    database,
    empty_tables,
    is_lock_awaited,
    projecting,
    publish,
    until,
    until_projected,
    wait_for,
)
from support.publisher import token
from support.sql import open_connection
from support.stack import FreshSettings

ORG, ANN = org(1), user(1)
FULL_DISK = """
CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'no room' USING ERRCODE = 'disk_full'; END $$;
CREATE TRIGGER no_room BEFORE INSERT ON public.audit_log EXECUTE FUNCTION no_room();
"""


async def test_a_projector_that_lost_its_checkpoint_writes_nothing_and_takes_over_again(
    settings: Settings, pool: Pool
) -> None:
    log = log_with(ORG)
    async with projecting(settings) as projector:
        await publish(settings, log)
        await until_projected(pool, log)
        log.add(ORG, ANN, facts.OrgRenamed(name="b"))
        async with pool.acquire() as connection, connection.transaction():
            writer = Writer(pool, folds(managed_users=True))
            reader = PartitionLog(0, await writer.checkpoint(0), partitions=1)
            reader.take(records(log.records[0][reader.next_to_read :], start=reader.next_to_read))
            batch = reader.next_batch(10)
            assert batch is not None
            await writer._write_whole(connection, batch)
            await publish(settings, log)
            await until(lambda: is_lock_awaited(pool), "the projector tries to write the same entry")
        await publish_one_more(settings, pool, log)
        assert projector.metric("daybook_projector_checkpoints_lost_total", partition="0") == 1
        await check_fold(pool, log)


async def publish_one_more(settings: Settings, pool: Pool, log: Logbook) -> None:
    last = log.add(ORG, ANN, facts.OrgRenamed(name="last"))[0]
    await publish(settings, log)
    await wait_for(pool, last)


async def test_an_idle_projector_notices_a_restored_postgresql(
    settings: Settings, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The projector must notice it without a new entry, because shards may be waiting for its checkpoint before they
    append.
    """
    monkeypatch.setattr("daybook_projector.engine.worker.IDLE_SECONDS", 0.2)
    log = log_with(ORG)
    async with projecting(settings):
        await publish(settings, log)
        await until_projected(pool, log)
        await empty_tables(pool)
        await until_projected(pool, log)
        await check_fold(pool, log)


async def test_a_projector_recovers_from_lost_connections(settings: Settings, pool: Pool) -> None:
    log = log_with(ORG)
    async with projecting(settings) as projector:
        await publish(settings, log)
        await until_projected(pool, log)
        for _ in range(3):
            await pool.execute("""
                SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                 WHERE application_name = 'daybook-projector' AND datname = current_database()
            """)
            await publish_one_more(settings, pool, log)
        await check_fold(pool, log)
        await until(lambda: projector.health.ready, "the projector is ready again")


async def test_a_projector_without_its_database_is_unready_and_recovers(
    fresh_settings: FreshSettings, stack: Servers
) -> None:
    settings = fresh_settings(partitions=1)
    log = log_with(ORG)
    async with projecting(settings) as projector:
        await until(lambda: projector.health.ready, "the projector is ready")
        async with renamed_away(settings, stack):
            await publish(settings, log)
            await until(lambda: "postgres" in projector.health.reasons, "the projector reports that PostgreSQL is away")
        async with database(settings) as pool:
            await until_projected(pool, log)
            await check_fold(pool, log)
        await until(lambda: projector.health.ready, "the projector is ready again")


async def test_a_full_disk_is_waited_for_and_quarantines_no_org(settings: Settings, pool: Pool) -> None:
    log = log_with(ORG)
    async with projecting(settings) as projector:
        await publish(settings, log)
        await until_projected(pool, log)
        await pool.execute(FULL_DISK)
        log.add(ORG, ANN, facts.OrgRenamed(name="b"))
        await publish(settings, log)
        lack = "PostgreSQL is in trouble: no room"
        await until(
            lambda: projector.health.reasons.get("postgres") == lack, "the projector reports what PostgreSQL lacks"
        )
        await pool.execute("DROP FUNCTION no_room CASCADE")
        await until_projected(pool, log)
        await check_fold(pool, log)


@asynccontextmanager
async def renamed_away(settings: Settings, stack: Servers) -> AsyncIterator[None]:
    """Gives the database another name while the block runs, so that clients do not find it."""
    name = urlsplit(settings.database_url.get_secret_value()).path.removeprefix("/")
    async with open_connection(stack.database_url) as connection:

        async def is_renamed() -> bool:
            await connection.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
            try:
                await connection.execute(f'ALTER DATABASE "{name}" RENAME TO "{name}_away"')
            except asyncpg.ObjectInUseError:
                # A client has connected again, so the database cannot be renamed yet.
                return False
            return True

        await until(is_renamed, "the database is renamed")
        yield
        await connection.execute(f'ALTER DATABASE "{name}_away" RENAME TO "{name}"')


async def test_an_instance_finishes_its_batch_after_a_signal(fresh_settings: FreshSettings, tmp_path: Path) -> None:
    settings = fresh_settings(partitions=1)
    system, log = System(settings, tmp_path), log_with(ORG)
    try:
        async with database(settings) as pool:
            service = system.start("projector")
            service.wait_ready()
            await publish(settings, log)
            await until_projected(pool, log)
            log.add(ORG, ANN, facts.OrgRenamed(name="b"))
            bearer = {"Authorization": f"Bearer {token(settings, f'user:{ANN}')}"}
            assert (await asyncio.to_thread(httpx.get, f"{service.url}/v1/orgs", headers=bearer)).status_code == 200
            assert not await has_no_readers(pool)
            async with pool.acquire() as connection, connection.transaction():
                await connection.execute("LOCK TABLE orgs IN SHARE MODE")
                await publish(settings, log)
                await until(lambda: is_lock_awaited(pool), "the batch waits for the lock")
                service.process.terminate()
                await until(lambda: has_no_readers(pool), "the instance has ended its read API")
            assert await asyncio.to_thread(service.process.wait, 30) == 0, service.tail()
            assert await checkpoints(pool) == {0: len(log.records[0])}
            again = system.start("projector")
            again.wait_ready()
            assert 'daybook_projector_position{partition="0"} 2.0' in again.metrics()
            await check_fold(pool, log)
    finally:
        system.stop()


async def has_no_readers(pool: Pool) -> bool:
    readers = "application_name = 'daybook-projector-read' AND datname = current_database()"
    return bool(await pool.fetchval(f"SELECT count(*) = 0 FROM pg_stat_activity WHERE {readers}"))


async def test_a_missing_topic_is_one_clear_error_at_start(fresh_settings: FreshSettings, tmp_path: Path) -> None:
    system = System(fresh_settings(init=False), tmp_path)
    service = system.start("projector")
    assert service.process.wait(30) == 1
    assert service.log.read_text().splitlines()[-1].startswith("Error: topic ")
