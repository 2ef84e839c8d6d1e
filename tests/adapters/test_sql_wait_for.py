"""The SQL function daybook.wait_for."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import asyncpg
import pytest

from daybook_infra.runtime.postgres.connections import OwnConnection, connect
from daybook_infra.runtime.settings import Settings
from support.projecting import until

OTHER, ORG = "00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-00000000000a"
WAIT = "SELECT daybook.wait_for($1, $2)"
SHARED_DATABASE = True
WAIT_FOR_ORG = "SELECT daybook.wait_for($1, $2, $3)"
NOW, SOON, LATE = timedelta(0), timedelta(milliseconds=50), timedelta(seconds=30)
CHECKPOINT = """
INSERT INTO daybook.checkpoints (partition, next_offset, position, hash, head_offset)
VALUES (3, 1043, $1, repeat('0', 64), 1042)
ON CONFLICT (partition) DO UPDATE SET position = excluded.position
"""
QUARANTINE = "INSERT INTO daybook.quarantine (org_id, partition, position, reason) VALUES ($1, 3, 7, 'poison')"
RELEASE = "UPDATE daybook.quarantine SET released_at = now(), generation = generation + 1"


@pytest.fixture
async def database(settings: Settings) -> AsyncIterator[OwnConnection]:
    async with connect(settings, "test") as connection:
        await connection.execute("DELETE FROM daybook.checkpoints; DELETE FROM daybook.quarantine")
        yield connection


async def until_asleep(database: OwnConnection, reader: OwnConnection) -> None:
    """Waits until the reader's statement has looked for the position and sleeps."""

    async def is_asleep() -> bool:
        event = "SELECT wait_event FROM pg_stat_activity WHERE pid = $1"
        return bool(await database.fetchval(event, reader.get_server_pid()) == "PgSleep")

    await until(is_asleep, "the reader sleeps")


async def test_a_projected_position_returns_at_once(database: OwnConnection) -> None:
    await database.execute(CHECKPOINT, 1042)
    assert await database.fetchval(WAIT, "3.1042", NOW) is True
    assert await database.fetchval(WAIT, "3.7", NOW) is True


@pytest.mark.parametrize("limit", [timedelta(seconds=-1), NOW, SOON])
async def test_a_position_not_projected_in_time_gives_false(database: OwnConnection, limit: timedelta) -> None:
    await database.execute(CHECKPOINT, 1042)
    assert await database.fetchval(WAIT, "3.1043", limit) is False
    assert await database.fetchval(WAIT, "4.0", limit) is False


async def test_a_waiting_statement_returns_when_the_position_is_projected(
    settings: Settings, database: OwnConnection
) -> None:
    async with connect(settings, "test") as reader:
        waiting = asyncio.create_task(reader.fetchval(WAIT, "3.5", LATE))
        await until_asleep(database, reader)
        async with database.transaction():
            await database.execute(CHECKPOINT, 5)
        assert await waiting is True


async def test_the_default_timeout_is_five_seconds(database: OwnConnection) -> None:
    await database.execute(CHECKPOINT, 5)
    assert await database.fetchval("SELECT daybook.wait_for('3.5')") is True
    default = "SELECT pg_get_function_arguments('daybook.wait_for'::regproc)"
    assert "timeout interval DEFAULT '00:00:05'::interval" in await database.fetchval(default)


@pytest.mark.parametrize(
    "malformed", ["", "3", "3.", ".5", "3.5.1", "-3.5", "3.-1", "3,5", "3.5 ", "a.b", "3.1e3", None]
)
async def test_a_malformed_position_is_refused(database: OwnConnection, malformed: str | None) -> None:
    with pytest.raises(asyncpg.InvalidParameterValueError, match="malformed position"):
        await database.fetchval(WAIT, malformed, NOW)


async def test_a_null_timeout_is_refused(database: OwnConnection) -> None:
    with pytest.raises(asyncpg.NullValueNotAllowedError):
        await database.fetchval(WAIT, "3.5", None)


@pytest.mark.parametrize("isolation", ["repeatable_read", "serializable"])
async def test_a_transaction_with_a_fixed_snapshot_is_refused(database: OwnConnection, isolation: str) -> None:
    with pytest.raises(asyncpg.InvalidTransactionStateError, match="needs READ COMMITTED"):
        async with database.transaction(isolation="serializable" if isolation == "serializable" else "repeatable_read"):
            await database.fetchval(WAIT, "3.5", NOW)


async def test_waiting_for_an_org_in_quarantine_is_an_error(database: OwnConnection) -> None:
    await database.execute(CHECKPOINT, 9)
    await database.execute(QUARANTINE, ORG)
    with pytest.raises(asyncpg.ObjectNotInPrerequisiteStateError, match=f"org {ORG} is in quarantine"):
        await database.fetchval(WAIT_FOR_ORG, "3.5", LATE, ORG)
    assert await database.fetchval(WAIT_FOR_ORG, "3.5", NOW, OTHER) is True


async def test_waiting_for_a_healed_org_works(database: OwnConnection) -> None:
    await database.execute(CHECKPOINT, 9)
    await database.execute(QUARANTINE, ORG)
    await database.execute(RELEASE)
    assert await database.fetchval(WAIT_FOR_ORG, "3.5", NOW, ORG) is True


async def test_a_quarantine_ends_the_wait(settings: Settings, database: OwnConnection) -> None:
    async with connect(settings, "test") as reader:
        waiting = asyncio.create_task(reader.fetchval(WAIT_FOR_ORG, "3.5", LATE, ORG))
        await until_asleep(database, reader)
        await database.execute(QUARANTINE, ORG)
        with pytest.raises(asyncpg.ObjectNotInPrerequisiteStateError):
            await waiting
