"""Reads through a real PostgREST, or a compatible server. No dependency of this project contains one, so these tests
run only if the variable POSTGREST is the path of a server that is configured with PGRST_* variables.
"""

import asyncio
import os
import secrets
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from daybook_infra.runtime.postgres.migrations import migrate
from daybook_infra.runtime.settings import Settings
from support.driving import eventually
from support.logbook import Logbook, log_with, org, user
from support.processes import free_port
from support.projecting import database, post
from support.publisher import token
from support.sql import run
from support.supabase import as_role, authenticator_waits, create_database, in_database, supabase

PROGRAM = os.environ.get("POSTGREST", "")
pytestmark = pytest.mark.skipif(not PROGRAM, reason="POSTGREST is not set")
ORG = org(1)
OWNER, STRANGER = (f"user:{user(number)}" for number in (1, 2))
SECRET = secrets.token_hex(32)


@pytest.fixture(scope="module")
def superuser() -> Iterator[str]:
    with supabase() as url:
        yield url


@pytest.fixture
async def settings(superuser: str) -> Settings:
    name = f"hub_{uuid4().hex[:8]}"
    settings = await create_database(superuser, name)
    await migrate(settings)
    await run(in_database(superuser, name), f"INSERT INTO auth.users VALUES ('{user(1)}'), ('{user(2)}')")
    return settings.model_copy(
        update={"jwt_audience": "authenticated", "jwt_secret": Settings(jwt_secret=SECRET).jwt_secret}
    )


@contextmanager
def serving(settings: Settings, folder: Path) -> Iterator[str]:
    port = free_port()
    options = {
        "DB_URI": as_role(settings.database_url.get_secret_value(), "authenticator"),
        "DB_SCHEMAS": "public",
        "DB_PRE_REQUEST": "daybook.pre_request",
        "JWT_SECRET": SECRET,
        "JWT_AUD": settings.jwt_audience,
        "SERVER_HOST": "127.0.0.1",
        "SERVER_PORT": str(port),
    }
    env = {**os.environ, **{f"PGRST_{name}": value for name, value in options.items()}}
    with (
        (folder / "postgrest.log").open("wb") as log,
        subprocess.Popen([PROGRAM], env=env, stdout=log, stderr=log) as process,
    ):
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


@pytest.fixture
async def client(settings: Settings, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    with serving(settings, tmp_path) as url:
        async with httpx.AsyncClient(base_url=url, timeout=10) as client:
            await eventually(lambda: is_up(client))
            yield client


async def is_up(client: httpx.AsyncClient) -> bool:
    try:
        return (await client.get("/")).status_code < 500
    except httpx.TransportError:
        return False


async def get(
    client: httpx.AsyncClient, settings: Settings, principal: str, after: str | None = None
) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token(settings, principal)}"} | ({"Daybook-After": after} if after else {})
    return await client.get("/orgs", params={"select": "id,name", "id": f"eq.{ORG}"}, headers=headers)


async def project(settings: Settings, log: Logbook) -> None:
    async with database(settings) as pool:
        assert await post(pool, log, managed=False) == []


async def test_users_read_what_they_have_written(superuser: str, settings: Settings, client: httpx.AsyncClient) -> None:
    assert (await get(client, settings, OWNER)).json() == []
    request = asyncio.create_task(get(client, settings, OWNER, "0.1"))
    assert await eventually(lambda: authenticator_waits(superuser))
    await project(settings, log_with(ORG))
    answer = await request
    assert (answer.status_code, [row["id"] for row in answer.json()]) == (200, [ORG])


async def test_strangers_see_no_row_and_services_see_all(settings: Settings, client: httpx.AsyncClient) -> None:
    await project(settings, log_with(ORG))
    assert (await get(client, settings, STRANGER, "0.1")).json() == []
    assert [row["id"] for row in (await get(client, settings, "service:billing", "0.1")).json()] == [ORG]
    assert (await client.get("/orgs")).status_code == 401


async def test_late_and_malformed_positions_are_answered_with_504_and_400(
    settings: Settings, client: httpx.AsyncClient
) -> None:
    late, malformed = await get(client, settings, OWNER, "0.7"), await get(client, settings, OWNER, "late")
    assert (late.status_code, late.json()["message"]) == (504, "position 0.7 is not in the tables yet")
    assert malformed.status_code == 400


async def test_nobody_can_write(settings: Settings, client: httpx.AsyncClient) -> None:
    await project(settings, log_with(ORG))
    headers = {"Authorization": f"Bearer {token(settings, OWNER)}"}
    answers = [
        await client.patch("/orgs", params={"id": f"eq.{ORG}"}, json={"name": "Mine"}, headers=headers),
        await client.delete("/orgs", params={"id": f"eq.{ORG}"}, headers=headers),
        await client.post("/orgs", json={"id": org(2), "name": "Mine"}, headers=headers),
    ]
    # PostgREST answers 403; other servers answer as if the token were missing.
    assert {answer.status_code for answer in answers} <= {401, 403}
