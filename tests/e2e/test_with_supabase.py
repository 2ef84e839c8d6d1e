"""From an empty Supabase project to the first read through its API, as docs/reading.md describes it: with the project's
login, users, tokens and roles. The test sends the statements that PostgREST would send.
"""

import re
import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from pydantic import SecretStr

from daybook_infra.runtime.kafka.topics import ensure_topics
from daybook_infra.runtime.postgres.migrations import migrate
from daybook_infra.runtime.settings import Settings
from support.documents import blocks, page, section
from support.driving import fresh_id
from support.postgrest import get
from support.processes import System
from support.publisher import Send, doors, send_until_decided
from support.sql import open_connection, run
from support.stack import FreshSettings
from support.supabase import as_role, create_database, in_database, supabase
from support.workload import by_user, command

PAGE = section(page("docs/reading.md"), "With Supabase")
(SHELL, *_), (HOOK,) = blocks(PAGE, "sh"), blocks(PAGE, "sql")
AUDIENCE = "authenticated"
HOOKED = "SELECT hooks.pre_request()"


@pytest.fixture(scope="module")
def superuser() -> Iterator[str]:
    with supabase() as url:
        yield url


@pytest.fixture
async def system(superuser: str, fresh_settings: FreshSettings, tmp_path: Path) -> AsyncIterator[System]:
    """Both services, with the login `postgres`, in a new project that keeps its users in auth.users."""
    name = f"project_{uuid4().hex[:8]}"
    project = await create_database(superuser, name)
    settings = fresh_settings(init=False, users="external", partitions=2, jwt_audience=AUDIENCE).model_copy(
        update={"database_url": project.database_url, "service_jwt_secret": SecretStr(secrets.token_hex(32))}
    )
    await ensure_topics(settings)
    await migrate(settings)
    await run(in_database(superuser, name), HOOK.text)
    system = System(settings, tmp_path)
    try:
        system.start("command")
        system.start("projector")
        system.wait_ready()
        yield system
    finally:
        system.stop()


def service_settings(settings: Settings) -> Settings:
    """Settings with the key that signs services' tokens."""
    return settings.model_copy(update={"jwt_secret": settings.service_jwt_secret})


async def test_a_user_of_an_empty_project_creates_an_org_and_reads_it(superuser: str, system: System) -> None:
    settings, user, org_id = system.settings, fresh_id(), fresh_id()
    database_url = settings.database_url.get_secret_value()
    await run(in_database(superuser, database_url.rpartition("/")[2]), f"INSERT INTO auth.users VALUES ('{user}')")
    (service,) = system.commands
    async with (
        doors(settings, service.url) as (door,),
        doors(service_settings(settings), service.url) as (service_door,),
        open_connection(as_role(database_url, "authenticator")) as authenticator,
    ):
        created = await send_until_decided(by_user("CREATE_ORG", org_id, user, fresh_id(), name="Harbour Books"), door)
        claims = {"sub": user, "role": AUDIENCE, "aud": AUDIENCE}
        after = {"Daybook-After": created["position"]}
        orgs = await get(authenticator, "orgs", claims, after, pre_request=HOOKED)
        assert [org["name"] for org in orgs] == ["Harbour Books"]

        added = Send("service:billing", command("CREATE_PROJECT", org_id, user, fresh_id(), name="Shop"))
        assert (await service_door.send(Send("user:" + user, added.command))).status_code == 401
        position = (await send_until_decided(added, service_door))["position"]
        projects = await get(authenticator, "projects", claims, {"Daybook-After": position}, pre_request=HOOKED)
        assert [project["name"] for project in projects] == ["Shop"]
        assert await get(authenticator, "orgs", claims | {"sub": fresh_id()}, after, pre_request=HOOKED) == []


def test_every_setting_on_the_page_exists() -> None:
    named = re.findall(r"^export DAYBOOK_(\w+)=", SHELL.text, re.MULTILINE)
    known = {name.upper() for name in Settings.model_fields}
    assert len(named) == 6
    assert {name.removesuffix("_FILE") for name in named} <= known
