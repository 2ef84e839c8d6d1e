"""Reads with PostgREST's statements, with and without Supabase's roles: users see their rows and their own writes. The
databases are set up with the SQL of docs/reading.md.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from uuid import uuid4

import asyncpg
import pytest
from pydantic import SecretStr

from daybook_infra.runtime.postgres.connections import OwnConnection
from daybook_infra.runtime.postgres.migrations import migrate
from daybook_infra.runtime.settings import Settings
from daybook_infra.stack.interface import Part
from support.documents import blocks, page, section
from support.driving import eventually
from support.logbook import Logbook, log_with, org, user
from support.postgrest import get
from support.projecting import database, post
from support.sql import open_connection, run
from support.stack import own_stack
from support.supabase import as_role, authenticator_waits, create_database, in_database, supabase

PAGE = page("docs/reading.md")
(ROLES,) = blocks(section(PAGE, "PostgREST"), "sql")
(HOOK,) = blocks(section(PAGE, "With Supabase"), "sql")
ORG = org(1)
OWNER, STRANGER = ({"sub": user(number), "role": "authenticated", "aud": "authenticated"} for number in (1, 2))
SERVICE = {"sub": "billing", "role": "service_role"}
AFTER = "Daybook-After"
HOOKED = "SELECT hooks.pre_request()"


@pytest.fixture(scope="module")
def superuser() -> Iterator[str]:
    with supabase() as url:
        yield url


@pytest.fixture
async def settings(superuser: str) -> Settings:
    """Settings of the owner of a new Supabase project, in which two users have signed up."""
    name = f"hub_{uuid4().hex[:8]}"
    settings = await create_database(superuser, name)
    await migrate(settings)
    await run(in_database(superuser, name), f"INSERT INTO auth.users VALUES ('{user(1)}'), ('{user(2)}'); {HOOK.text}")
    return settings


@pytest.fixture
def log() -> Logbook:
    """A log that is not projected yet. The org's first entry is 0.1."""
    return log_with(ORG)


@pytest.fixture
async def authenticator(settings: Settings) -> AsyncIterator[OwnConnection]:
    async with open_connection(as_role(settings.database_url.get_secret_value(), "authenticator")) as connection:
        yield connection


async def project(settings: Settings, log: Logbook) -> None:
    async with database(settings) as pool:
        assert await post(pool, log, managed=settings.users == "managed") == []


async def test_users_read_their_own_writes(
    superuser: str, settings: Settings, log: Logbook, authenticator: OwnConnection
) -> None:
    assert await get(authenticator, "orgs", OWNER, {}) == []
    request = asyncio.create_task(get(authenticator, "orgs", OWNER, {AFTER: "0.1"}))
    assert await eventually(lambda: authenticator_waits(superuser))
    await project(settings, log)
    assert [row["id"] for row in await request] == [ORG]


async def test_users_read_only_their_own_rows_and_services_read_all(
    settings: Settings, log: Logbook, authenticator: OwnConnection
) -> None:
    await project(settings, log)
    found = {}
    for name, claims in {"owner": OWNER, "stranger": STRANGER, "service": SERVICE}.items():
        found[name] = len(
            await get(authenticator, "audit_log", claims, {AFTER: "0.1"}, where=f"WHERE org_id = '{ORG}'")
        )
    assert found == {"owner": 1, "stranger": 0, "service": 1}


async def test_a_position_that_is_not_reached_in_time_is_answered_with_504(
    settings: Settings, log: Logbook, authenticator: OwnConnection
) -> None:
    await project(settings, log)
    with pytest.raises(asyncpg.PostgresError, match=r"position 0\.2 is not in the tables yet") as refused:
        await get(authenticator, "orgs", OWNER, {AFTER: "0.2"})
    assert refused.value.sqlstate == "PT504"
    assert len(await get(authenticator, "orgs", OWNER, {AFTER: "0.1"})) == 1


@pytest.mark.parametrize("header", ["", "later", "0", "0.1; DROP TABLE orgs", "-1.0"])
async def test_a_malformed_position_is_refused(authenticator: OwnConnection, header: str) -> None:
    with pytest.raises(asyncpg.InvalidParameterValueError, match="malformed position"):
        await get(authenticator, "orgs", OWNER, {AFTER: header})


async def test_without_a_token_nothing_is_readable(authenticator: OwnConnection) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="schema daybook"):
        await get(authenticator, "orgs", {}, {})
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="table orgs"):
        await get(authenticator, "orgs", {}, {}, pre_request=HOOKED)


async def test_the_hook_checks_the_position_of_users_but_not_of_anonymous_requests(
    superuser: str, settings: Settings, log: Logbook, authenticator: OwnConnection
) -> None:
    await run(
        in_database(superuser, settings.database_url.get_secret_value().rpartition("/")[2]),
        "CREATE TABLE public.news AS SELECT 'open' AS title; GRANT SELECT ON public.news TO anon",
    )
    assert await get(authenticator, "news", {}, {AFTER: "0.1"}, pre_request=HOOKED) == [{"title": "open"}]
    await project(settings, log)
    assert len(await get(authenticator, "orgs", OWNER, {AFTER: "0.1"}, pre_request=HOOKED)) == 1
    with pytest.raises(asyncpg.InvalidParameterValueError):
        await get(authenticator, "orgs", OWNER, {AFTER: "x"}, pre_request=HOOKED)


async def test_a_server_without_supabase_needs_only_the_roles(log: Logbook) -> None:
    with own_stack(parts=frozenset({Part.POSTGRES})) as stack:
        url = stack.servers().database_url
        settings = Settings(database_url=SecretStr(url))
        await migrate(settings)
        await project(settings, log)
        await run(url, ROLES.text.replace("of the authenticator", "of a throw-away server"))
        assert await migrate(settings) == ()
        async with open_connection(as_role(url, "authenticator")) as authenticator:
            assert [row["id"] for row in await get(authenticator, "orgs", OWNER, {AFTER: "0.1"})] == [ORG]
            assert await get(authenticator, "orgs", STRANGER, {}) == []
            assert len(await get(authenticator, "orgs", SERVICE, {})) == 1
