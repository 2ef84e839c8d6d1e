"""Scripts of several statements in one message, on a real PostgreSQL."""

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daybook_infra.runtime.postgres.connections import Connection, Pool
from daybook_infra.runtime.settings import Settings
from daybook_projector.postgres import script
from daybook_projector.postgres.script import Call, Scripts, array_literal
from daybook_projector.projections.changes import Value
from support.projecting import database

SHARED_DATABASE = True
TABLE = "CREATE TEMPORARY TABLE IF NOT EXISTS kept (word text, number integer, flag boolean)"
KEEP = "INSERT INTO kept SELECT * FROM unnest($1::text[], $2::integer[], $3::boolean[])"
NAMES = "SELECT name FROM pg_prepared_statements WHERE from_sql"
# Characters that mean something in a literal, in an array, or in both.
SPECIAL = st.text(st.sampled_from("'\"\\{},; $-\n")) | st.sampled_from(["NULL", "null", "'); DROP TABLE kept; --"])
WORDS = st.none() | SPECIAL | st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"))
ROWS = st.lists(st.tuples(WORDS, st.none() | st.integers(-(2**31), 2**31 - 1), st.none() | st.booleans()), min_size=1)


def keep(*rows: tuple[Value, Value, Value]) -> Call:
    return KEEP, [array_literal(column) for column in zip(*rows, strict=True)]


async def kept(connection: Connection) -> list[tuple[Value, ...]]:
    return [tuple(row) for row in await connection.fetch("SELECT * FROM kept")]


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ROWS)
async def test_any_values_arrive_unchanged(
    shared_settings: Settings, rows: list[tuple[str | None, int | None, bool | None]]
) -> None:
    async with database(shared_settings) as pool, pool.acquire() as connection:
        await connection.execute(TABLE)
        await Scripts().run(connection, [keep(*rows)])
        assert await kept(connection) == rows


@pytest.mark.parametrize("text", ["a\0b", "\ud800"])
async def test_a_text_that_cannot_be_stored_is_refused_before_anything_is_sent(pool: Pool, text: str) -> None:
    async with pool.acquire() as connection:
        with pytest.raises(ValueError, match=r"NUL|surrogates"):
            await Scripts().run(connection, [keep((text, 1, True))])


async def test_a_script_that_fails_keeps_nothing_and_the_next_one_runs(pool: Pool) -> None:
    scripts = Scripts()
    async with pool.acquire() as connection:
        await connection.execute(TABLE)
        with pytest.raises(asyncpg.InvalidTextRepresentationError):
            await scripts.run(connection, [keep(("a", 1, True)), keep(("b", "x", True))])
        assert await kept(connection) == []
        await scripts.run(connection, [keep(("a", 1, True)), keep(("b", 2, True))])
        assert await kept(connection) == [("a", 1, True), ("b", 2, True)]


async def test_a_statement_is_prepared_once_in_each_session(settings: Settings) -> None:
    scripts = Scripts()
    async with database(settings) as pool, pool.acquire() as one, pool.acquire() as other:
        for connection in (one, other, one, other):
            await connection.execute(TABLE)
            await scripts.run(connection, [keep(("a", 1, True)), keep(("b", 2, True))])
            assert len(await connection.fetch(NAMES)) == 1


async def test_a_session_may_serve_several_writers(pool: Pool) -> None:
    count: Call = ("SELECT 1 / (count(*) = $1)::integer FROM kept", ["1"])
    async with pool.acquire() as connection:
        await connection.execute(TABLE)
        await Scripts().run(connection, [keep(("a", 1, True))])
        await Scripts().run(connection, [count])
        await Scripts().run(connection, [keep(("b", 2, True))])
        assert await kept(connection) == [("a", 1, True), ("b", 2, True)]


async def test_a_script_that_names_a_lost_statement_fails_once(pool: Pool) -> None:
    scripts = Scripts()
    async with pool.acquire() as connection:
        await connection.execute(TABLE)
        await scripts.run(connection, [keep(("a", 1, True))])
        await connection.execute(f"DEALLOCATE {await connection.fetchval(NAMES)}")
        with pytest.raises(asyncpg.InvalidSQLStatementNameError):
            await scripts.run(connection, [keep(("b", 2, True))])
        await scripts.run(connection, [keep(("b", 2, True))])
        assert await kept(connection) == [("a", 1, True), ("b", 2, True)]


async def test_what_is_prepared_is_read_again_after_many_sessions(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(script, "MAX_SESSIONS", 1)
    await test_a_statement_is_prepared_once_in_each_session(settings)
