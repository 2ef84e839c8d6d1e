"""The roles that `daybook init` makes: once a cluster, whoever runs it, in however many databases at once."""

import asyncio
from collections.abc import Iterator
from uuid import uuid4

import pytest
from pydantic import SecretStr

from daybook_infra.runtime.postgres.migrations import migrate
from daybook_infra.runtime.settings import Settings
from daybook_infra.stack.interface import Part
from support.sql import ask, open_connection, run
from support.stack import own_stack
from support.supabase import PASSWORD, as_role, in_database

ROLES = ("daybook_auditor", "daybook_command", "daybook_gateway", "daybook_projector", "daybook_reader")
SERVICE_ROLES = {"daybook_command", "daybook_projector"}
ATTRIBUTES = """
SELECT rolname, rolcanlogin, rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls FROM pg_roles
WHERE rolname LIKE 'daybook\\_%' ORDER BY rolname
"""
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'daybook-init' AND wait_event_type = 'Lock'"


@pytest.fixture
def superuser() -> Iterator[str]:
    """A new server: roles belong to a whole cluster."""
    with own_stack(parts=frozenset({Part.POSTGRES})) as stack:
        yield stack.servers().database_url


async def new_database(superuser: str, owner: str) -> Settings:
    name = f"hub_{uuid4().hex[:8]}"
    await run(superuser, f'CREATE DATABASE "{name}" OWNER {owner}')
    return Settings(database_url=SecretStr(as_role(in_database(superuser, name), owner)))


async def new_login(superuser: str, attributes: str = "") -> str:
    name = f"r{uuid4().hex[:8]}"
    await run(superuser, f"CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}' {attributes}")
    return name


async def roles(superuser: str) -> dict[str, dict[str, bool]]:
    async with open_connection(superuser) as connection:
        return {row["rolname"]: dict(list(row.items())[1:]) for row in await connection.fetch(ATTRIBUTES)}


def assert_roles_are_those_of_init(found: dict[str, dict[str, bool]]) -> None:
    assert {role: {name for name, has in held.items() if has} for role, held in found.items()} == {
        role: {"rolbypassrls"} if role in SERVICE_ROLES else set() for role in ROLES
    }


@pytest.mark.parametrize("statement", ["CREATE ROLE daybook_command", "ALTER ROLE daybook_projector BYPASSRLS"])
async def test_an_init_waits_for_that_of_another_database_and_takes_its_roles(superuser: str, statement: str) -> None:
    await run(superuser, "CREATE ROLE daybook_projector")
    settings = await new_database(superuser, await new_login(superuser, "SUPERUSER"))
    async with open_connection(superuser) as other, other.transaction():
        await other.execute(statement)
        init = asyncio.create_task(migrate(settings))
        async with asyncio.timeout(30):
            while not await ask(superuser, WAITING):
                assert not init.done()
    assert await init
    assert_roles_are_those_of_init(await roles(superuser))


async def test_inits_of_several_databases_at_once_make_the_roles(superuser: str) -> None:
    owner = await new_login(superuser, "SUPERUSER")
    databases = [await new_database(superuser, owner) for _ in range(4)]
    await asyncio.gather(*map(migrate, databases))
    assert_roles_are_those_of_init(await roles(superuser))


async def test_existing_roles_are_taken_as_they_are(superuser: str) -> None:
    await run(superuser, "CREATE ROLE daybook_reader LOGIN; CREATE ROLE daybook_command")
    owner = await new_login(superuser, "CREATEROLE BYPASSRLS")
    assert await migrate(await new_database(superuser, owner))
    found = await roles(superuser)
    assert tuple(found) == ROLES
    assert found["daybook_reader"]["rolcanlogin"]
    assert not found["daybook_command"]["rolbypassrls"]
    assert found["daybook_projector"]["rolbypassrls"]


async def test_an_owner_without_createrole_makes_tables_without_roles(superuser: str) -> None:
    settings = await new_database(superuser, await new_login(superuser))
    assert await migrate(settings)
    assert await roles(superuser) == {}
    assert await ask(settings.database_url.get_secret_value(), "SELECT count(*) FROM orgs") == 0
