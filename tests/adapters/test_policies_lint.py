"""The schema passes the checks of a linter for row-level security, in a database that also has Supabase's roles."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from uuid import uuid4

import pytest

from daybook_infra.runtime.postgres.connections import OwnConnection
from daybook_infra.runtime.postgres.migrations import migrate
from support.schema_checks import ACCEPTED, CHECKS, Check
from support.sql import open_connection
from support.supabase import create_database, in_database, supabase


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A superuser's URL of a database that the owner has migrated."""
    with supabase() as superuser:
        name = f"hub_{uuid4().hex[:8]}"
        asyncio.run(set_up(superuser, name))
        yield in_database(superuser, name)


async def set_up(superuser: str, name: str) -> None:
    await migrate(await create_database(superuser, name))


@pytest.fixture
async def database(url: str) -> AsyncIterator[OwnConnection]:
    async with open_connection(url) as connection:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute("SET LOCAL search_path = ''")
        yield connection
        await transaction.rollback()


async def findings(database: OwnConnection, check: Check) -> set[str]:
    return {row[0] for row in await database.fetch(check.query)}


@pytest.mark.parametrize("name", CHECKS)
async def test_the_schema_passes_the_check(database: OwnConnection, name: str) -> None:
    assert await findings(database, CHECKS[name]) == ACCEPTED.get(name, set())


@pytest.mark.parametrize("name", CHECKS)
async def test_the_check_finds_a_fault(database: OwnConnection, name: str) -> None:
    await database.execute(CHECKS[name].fault)
    assert await findings(database, CHECKS[name]) > ACCEPTED.get(name, set())
