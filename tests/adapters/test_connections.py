"""Connections to the real servers: options, deadlines, and errors translated once."""

import asyncio

import asyncpg
import pytest
from aiokafka.admin import NewTopic
from aiokafka.errors import KafkaError
from pydantic import SecretStr

from daybook_infra.runtime.errors import DatabaseAway
from daybook_infra.runtime.kafka.clients import admin, close_quietly, producer
from daybook_infra.runtime.postgres.connections import close_pool, connect, open_pool, translated
from daybook_infra.runtime.settings import Settings
from support.stack import FreshSettings

OPTIONS = ("application_name", "timezone", "statement_timeout", "jit")
END_MYSELF = "SELECT pg_terminate_backend(pg_backend_pid())"


@pytest.fixture
def settings(fresh_settings: FreshSettings) -> Settings:
    return fresh_settings(init=False, partitions=1)


async def test_a_connection_says_who_it_is_and_speaks_utc(settings: Settings) -> None:
    async with connect(settings, "daybook-test", statement_seconds=2) as connection:
        shown = [await connection.fetchval("SELECT current_setting($1)", option) for option in OPTIONS]
    assert shown == ["daybook-test", "UTC", "2s", "off"]


async def test_a_statement_that_takes_too_long_is_an_outage(settings: Settings) -> None:
    with pytest.raises(DatabaseAway, match="statement timeout"):
        async with connect(settings, "test", statement_seconds=0.05) as connection:
            await connection.execute("SELECT pg_sleep(10)")


async def test_a_connection_that_the_server_ends_is_an_outage(settings: Settings) -> None:
    with pytest.raises(DatabaseAway, match=r"^PostgreSQL at .* is away: "):
        async with connect(settings, "test") as connection:
            await connection.execute(END_MYSELF)


async def test_using_a_connection_that_is_gone_is_an_outage(settings: Settings) -> None:
    async with connect(settings, "test") as connection:
        with pytest.raises(DatabaseAway), translated():
            await connection.execute(END_MYSELF)
        with pytest.raises(DatabaseAway, match="closed"), translated():
            await connection.execute("SELECT 1")


@pytest.mark.parametrize("before", [asyncpg.InternalClientError("cannot switch to state 21"), OSError("reset")])
def test_a_rollback_that_a_lost_connection_refuses_is_an_outage(before: Exception) -> None:
    """As asyncpg's transaction does while the error that ends it is on its way."""
    refused = asyncpg.InterfaceError("cannot perform operation: another operation is in progress")
    refused.__context__ = before
    with pytest.raises(DatabaseAway), translated():
        raise refused


def test_misuse_of_a_connection_is_a_bug() -> None:
    with pytest.raises(asyncpg.InterfaceError), translated():
        raise asyncpg.InterfaceError("cannot perform operation: another operation is in progress")


@pytest.mark.parametrize("condition", ["disk_full", "out_of_memory", "configuration_limit_exceeded", "io_error"])
async def test_a_server_that_lacks_room_is_in_trouble_and_says_so_in_one_line(
    settings: Settings, condition: str
) -> None:
    short = f"DO $$ BEGIN RAISE EXCEPTION 'no room' USING ERRCODE = '{condition}', HINT = 'Make some.'; END $$"
    with pytest.raises(DatabaseAway, match=r"^PostgreSQL at \S+ is in trouble: no room$"):
        async with connect(settings, "test") as connection:
            await connection.execute(short)


async def test_a_violated_constraint_is_no_outage(settings: Settings) -> None:
    with pytest.raises(asyncpg.UniqueViolationError):
        async with connect(settings, "test") as connection:
            await connection.execute("CREATE TEMP TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1), (1)")


async def test_a_pool_outlives_the_end_of_its_connections(settings: Settings) -> None:
    pool = await open_pool(settings, "test", max_size=2)
    with pytest.raises(DatabaseAway), translated():
        await pool.execute(END_MYSELF)
    assert await pool.fetchval("SELECT 1") == 1
    await close_pool(pool)


async def test_a_wrong_password_is_one_clear_line_without_it(settings: Settings) -> None:
    server = settings.database_url.get_secret_value().rpartition("@")[2]
    wrong = SecretStr(f"postgresql://nobody:hush@{server}")
    with pytest.raises(DatabaseAway, match=r"refuses the connection: password authentication failed") as refused:
        async with connect(settings.model_copy(update={"database_url": wrong}), "test"):
            pass
    assert "hush" not in str(refused.value)


async def test_a_producer_that_cannot_deliver_is_closed_by_its_deadline(settings: Settings) -> None:
    topic = f"{settings.topic_prefix}nobody-has-made-this"
    async with admin(settings) as client:
        await client.create_topics([NewTopic(topic, 1, 1)])
        stuck = producer(settings, "test")
        await stuck.start()
        await stuck.send_and_wait(topic, b"delivered", partition=0)
        await client.delete_topics([topic])
    waiting = await stuck.send(topic, b"never delivered", partition=0)
    async with asyncio.timeout(10):
        await close_quietly(stuck, seconds=0.2)
    with pytest.raises(KafkaError):
        await waiting
