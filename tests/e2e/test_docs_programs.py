"""Programs from the documentation, run against a system: publishers of docs/topics.md, grants of docs/tables.md."""

import re
import subprocess
import sys
from collections.abc import AsyncIterator
from uuid import uuid4

import asyncpg
import pytest
import pytest_asyncio
from pydantic import SecretStr

from daybook_infra.runtime.postgres.connections import Connection
from support.chain import entry_id
from support.documents import blocks, page, section
from support.driving import connected, eventually, fresh_id, until_projected
from support.healing import run_heal
from support.processes import System, Systems, environment
from support.publisher import decided, doors
from support.workload import by_user, registration

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

WITH_AIOKAFKA, WITH_FASTSTREAM = blocks(section(page("docs/topics.md"), "Publishing from another service"), "python")
(GRANTS,) = blocks(section(page("docs/tables.md"), "Grants"), "sql")
DATABASE_PASSWORD = "of a throw-away role"


def run(program: str, last_line: str, system: System) -> str:
    """Runs the program of the page, followed by one line, in a Python process; returns its output."""
    python = [sys.executable, "-c", f"{program}\n{last_line}\n"]
    env = environment(system.settings)
    done = subprocess.run(python, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


async def test_the_aiokafka_program_gets_the_outcome_of_its_command(shared: System) -> None:
    user, command_id = fresh_id(), fresh_id()
    command = {"id": command_id, "type": "REGISTER_USER", "data": {"user_id": user}}
    output = run(WITH_AIOKAFKA.text, f"print(asyncio.run(send({command!r}, {user!r}))['entries'][0]['id'])", shared)
    assert output.strip() == entry_id(user, command_id, 0, "user")


async def test_the_faststream_program_gets_its_command_decided(shared: System, database: Connection) -> None:
    user, command_id = fresh_id(), fresh_id()
    command = {"id": command_id, "type": "REGISTER_USER", "data": {"user_id": user}}
    run(WITH_FASTSTREAM.text, f"import asyncio\nasyncio.run(publish({command!r}, {user!r}))", shared)
    look = "SELECT metadata_json->>'principal' FROM daybook.outcome($1, $2)"
    assert await eventually(lambda: database.fetchval(look, user, command_id)) == "service:billing"


@pytest_asyncio.fixture
async def granted(systems: Systems) -> AsyncIterator[tuple[System, str]]:
    """A system without instances, with the roles of the page under names that start with the yielded prefix."""
    system = systems.start(commands=0, projectors=0)
    prefix = f"t{uuid4().hex[:10]}_"
    statements = GRANTS.text.replace("NOLOGIN", f"LOGIN PASSWORD '{DATABASE_PASSWORD}'")
    async with connected(system.settings) as owner:
        await owner.execute(re.sub(r"daybook_(reader|command|projector)", rf"{prefix}\1", statements))
        yield system, prefix
        system.stop()
        for role in ("reader", "command", "projector"):
            await owner.execute(f"DROP OWNED BY {prefix}{role}")
            await owner.execute(f"DROP ROLE {prefix}{role}")


def url_of(system: System, role: str) -> str:
    url = system.settings.database_url.get_secret_value()
    return re.sub(r"//[^@]*@", f"//{role}:{DATABASE_PASSWORD.replace(' ', '%20')}@", url)


async def test_the_grants_of_the_page_are_sufficient(granted: tuple[System, str]) -> None:
    system, prefix = granted
    command = system.start("command", database_url=SecretStr(url_of(system, f"{prefix}command")))
    system.start("projector", database_url=SecretStr(url_of(system, f"{prefix}projector")))
    system.wait_ready()
    org, owner = fresh_id(), fresh_id()
    async with doors(system.settings, command.url) as (door,):
        registered = await decided(registration(owner, fresh_id()), door)
        created = await decided(by_user("CREATE_ORG", org, owner, fresh_id(), name="Granted"), door)
        kept = by_user("CREATE_PROJECT", org, owner, fresh_id(), name="Kept")
        assert (await decided(kept, door))["status"] == 200
    reader = await asyncpg.connect(url_of(system, f"{prefix}reader"))
    try:
        await until_projected(reader, [registered["position"], created["position"]])
        assert await reader.fetchval("SELECT name FROM orgs WHERE id = $1", org) == "Granted"
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await reader.execute("UPDATE orgs SET name = 'Mine'")
        as_projector = SecretStr(url_of(system, f"{prefix}projector"))
        settings = system.settings.model_copy(update={"database_url": as_projector})
        assert (await run_heal(settings, org, "--check")).code == 0
    finally:
        await reader.close()
