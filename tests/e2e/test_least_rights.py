"""A service checks its rights in PostgreSQL when it starts. If rights are missing, it names them and ends; with exactly
these rights it works.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
import pytest_asyncio
from pydantic import SecretStr

from support.driving import check_tables, open_database, over_http, register_all, send_all
from support.processes import Role, System, Systems
from support.publisher import doors
from support.workload import Workload

pytestmark = pytest.mark.timeout(180)

PASSWORD = "of-a-throw-away-role"
SERVICES: tuple[Role, ...] = ("command", "projector")


@pytest_asyncio.fixture
async def bare(systems: Systems) -> AsyncIterator[tuple[System, dict[Role, SecretStr]]]:
    """A system without instances, and roles without any rights, not even those of PUBLIC."""
    system = systems.start(commands=0, projectors=0, partitions=3)
    names = {role: f"t{uuid4().hex[:10]}_{role}" for role in SERVICES}
    url = system.settings.database_url.get_secret_value()
    async with open_database(system.settings) as owner:
        await owner.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
        for name in names.values():
            await owner.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}'")
        yield (
            system,
            {role: SecretStr(re.sub("//[^@]*@", f"//{name}:{PASSWORD}@", url)) for role, name in names.items()},
        )
        await asyncio.to_thread(system.stop)
        for name in names.values():
            await owner.execute(f"DROP OWNED BY {name}")
            await owner.execute(f"DROP ROLE {name}")


async def grants_asked_for(system: System, role: Role, login: SecretStr) -> list[str]:
    """Starts an instance without rights; returns the GRANT and ALTER ROLE statements that it names before it ends."""
    service = system.start(role, database_url=login)
    assert await asyncio.to_thread(service.process.wait, 30) == 1
    output = service.log.read_text(encoding="utf-8")
    assert "lacks rights" in output
    assert "Traceback" not in output
    return re.findall(r"(?:GRANT|ALTER ROLE) [^;]*;", output)


async def test_the_rights_named_by_services_are_sufficient(bare: tuple[System, dict[Role, SecretStr]]) -> None:
    system, logins = bare
    async with open_database(system.settings) as database:
        for role, login in logins.items():
            for grant in await grants_asked_for(system, role, login):
                await database.execute(grant)
        system.commands.clear()
        system.projectors.clear()
        for role, login in logins.items():
            system.start(role, database_url=login)
        await asyncio.to_thread(system.wait_ready)
        workload = Workload(11, orgs=8, users=12, commands=400)
        async with doors(system.settings, system.commands[0].url) as (door,):
            await register_all(door, database, workload.registrations)
            await send_all(workload.sends, [over_http(door)], at_once=16)
    await check_tables(system.settings)
