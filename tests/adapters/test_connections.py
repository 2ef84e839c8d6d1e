"""Connections to real servers: options, deadlines and translated errors."""

import asyncio
import gc
from typing import Any

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import NewTopic
from aiokafka.errors import KafkaError
from pydantic import SecretStr

from daybook_infra.runtime.errors import DatabaseAway
from daybook_infra.runtime.kafka.clients import admin, close_quietly, producer
from daybook_infra.runtime.postgres.connections import close_pool, connect, open_pool, translated
from daybook_infra.runtime.settings import Settings
from support.driving import fresh_id

OPTIONS = ("application_name", "timezone", "statement_timeout", "jit")
TERMINATE = "SELECT pg_terminate_backend(pg_backend_pid())"
SETTINGS = {"init": False}


async def test_a_connection_has_its_application_name_and_uses_utc(settings: Settings) -> None:
    async with connect(settings, "daybook-test", statement_seconds=2) as connection:
        values = [await connection.fetchval("SELECT current_setting($1)", option) for option in OPTIONS]
    assert values == ["daybook-test", "UTC", "2s", "off"]


async def test_a_statement_timeout_is_an_outage(settings: Settings) -> None:
    with pytest.raises(DatabaseAway, match="statement timeout"):
        async with connect(settings, "test", statement_seconds=0.05) as connection:
            await connection.execute("SELECT pg_sleep(10)")


async def test_a_connection_closed_by_the_server_is_an_outage(settings: Settings) -> None:
    with pytest.raises(DatabaseAway, match=r"^PostgreSQL at .* is away: "):
        async with connect(settings, "test") as connection:
            await connection.execute(TERMINATE)


async def test_using_a_closed_connection_is_an_outage(settings: Settings) -> None:
    async with connect(settings, "test") as connection:
        with pytest.raises(DatabaseAway), translated():
            await connection.execute(TERMINATE)
        with pytest.raises(DatabaseAway, match="closed"), translated():
            await connection.execute("SELECT 1")


@pytest.mark.parametrize("cause", [asyncpg.InternalClientError("cannot switch to state 21"), OSError("reset")])
def test_a_failed_rollback_on_a_lost_connection_is_an_outage(cause: Exception) -> None:
    """Asyncpg's transaction raises a second error when it cannot roll back after the first one."""
    refused = asyncpg.InterfaceError("cannot perform operation: another operation is in progress")
    refused.__context__ = cause
    with pytest.raises(DatabaseAway), translated():
        raise refused


def test_misuse_of_a_connection_is_a_bug() -> None:
    with pytest.raises(asyncpg.InterfaceError), translated():
        raise asyncpg.InterfaceError("cannot perform operation: another operation is in progress")


@pytest.mark.parametrize("condition", ["disk_full", "out_of_memory", "configuration_limit_exceeded", "io_error"])
async def test_a_server_out_of_resources_is_an_outage_with_a_one_line_message(
    settings: Settings, condition: str
) -> None:
    raise_error = f"DO $$ BEGIN RAISE EXCEPTION 'no room' USING ERRCODE = '{condition}', HINT = 'Make some.'; END $$"
    with pytest.raises(DatabaseAway, match=r"^PostgreSQL at \S+ is in trouble: no room$"):
        async with connect(settings, "test") as connection:
            await connection.execute(raise_error)


async def test_a_violated_constraint_is_not_an_outage(settings: Settings) -> None:
    with pytest.raises(asyncpg.UniqueViolationError):
        async with connect(settings, "test") as connection:
            await connection.execute("CREATE TEMP TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1), (1)")


async def test_a_pool_replaces_lost_connections(settings: Settings) -> None:
    pool = await open_pool(settings, "test", max_size=2)
    with pytest.raises(DatabaseAway), translated():
        await pool.execute(TERMINATE)
    assert await pool.fetchval("SELECT 1") == 1
    await close_pool(pool)


async def test_a_wrong_password_is_a_clear_error_that_does_not_show_it(settings: Settings) -> None:
    server = settings.database_url.get_secret_value().rpartition("@")[2]
    wrong = SecretStr(f"postgresql://nobody:hush@{server}")
    with pytest.raises(DatabaseAway, match=r"refuses the connection: password authentication failed") as refused:
        async with connect(settings.model_copy(update={"database_url": wrong}), "test"):
            pass
    assert "hush" not in str(refused.value)


async def test_a_producer_that_cannot_deliver_is_closed_at_the_deadline_and_reports_no_errors(
    settings: Settings,
) -> None:
    reported: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
    for pause in (0.0, 0.03, 0.06, 0.09, 0.12):  # the producer is closed in different steps of a retry
        await check_closes(settings, producer(settings, "test"), pause)
    gc.collect()
    await asyncio.sleep(0.2)
    assert reported == []


async def check_closes(settings: Settings, stuck: AIOKafkaProducer, pause: float) -> None:
    """Sends a record to each partition of a topic that was deleted, and closes the producer after `pause` seconds."""
    topic, partitions = f"{settings.topic_prefix}deleted-{fresh_id()}", 12
    async with admin(settings) as client:
        await client.create_topics([NewTopic(topic, partitions, 1)])
        await stuck.start()
        for partition in range(partitions):
            await stuck.send_and_wait(topic, b"delivered", partition=partition)
        await client.delete_topics([topic])
    pending = [await stuck.send(topic, b"never delivered", partition=partition) for partition in range(partitions)]
    await asyncio.sleep(pause)
    async with asyncio.timeout(10):
        await close_quietly(stuck, seconds=0.1)
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert all(isinstance(each.exception(), KafkaError) for each in pending)
