"""Runs what the documentation shows against a system: the publishers in docs/topics.md, and the logins in
docs/operations.md.
"""

import asyncio
import subprocess
import sys

import asyncpg
import pytest

from daybook_infra.runtime.postgres.connections import Connection
from support.chain import entry_id
from support.documents import blocks, page, section
from support.driving import eventually, fresh_id, open_database, send_accepted, send_and_project
from support.granted import Granted, granted
from support.healing import run_heal
from support.processes import System, Systems, environment
from support.publisher import doors
from support.workload import by_user, registration

pytestmark = pytest.mark.timeout(180)

WITH_AIOKAFKA, WITH_FASTSTREAM = blocks(section(page("docs/topics.md"), "Publishing from another service"), "python")


def run(program: str, last_line: str, system: System) -> str:
    """Runs a program from a page, with one more line at its end, in a Python process; returns its output."""
    python = [sys.executable, "-c", f"{program}\n{last_line}\n"]
    env = environment(system.settings)
    finished = subprocess.run(python, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


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


async def test_the_logins_of_the_page_are_sufficient(systems: Systems) -> None:
    system = systems.start(commands=0, projectors=0)
    async with granted(system.settings) as roles:
        try:
            system.start("command", database_url=roles.url("command"))
            system.start("projector", database_url=roles.url("projector"))
            await asyncio.to_thread(system.wait_ready)
            await check_rights(system, roles)
        finally:
            await asyncio.to_thread(system.stop)


async def check_rights(system: System, roles: Granted) -> None:
    """Asserts that both services work, that the auditor can read but not write, and that `heal --check` works with
    the projector's login.
    """
    auditor, projector = (
        system.settings.model_copy(update={"database_url": roles.url(login)}) for login in ("auditor", "projector")
    )
    org, owner = fresh_id(), fresh_id()
    async with doors(system.settings, system.commands[0].url) as (door,), open_database(auditor) as reading:
        await reading.execute("SET row_security = on")
        await send_and_project(door, reading, registration(owner, fresh_id()))
        await send_and_project(door, reading, by_user("CREATE_ORG", org, owner, fresh_id(), name="Granted"))
        await send_accepted(door, by_user("CREATE_PROJECT", org, owner, fresh_id(), name="Kept"))
        assert await reading.fetchval("SELECT name FROM orgs WHERE id = $1", org) == "Granted"
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await reading.execute("UPDATE orgs SET name = 'Mine'")
        assert (await run_heal(projector, org, "--check")).code == 0
