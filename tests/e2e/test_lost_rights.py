"""Rights in PostgreSQL are revoked while services run; an identity provider manages the users. The services keep
running and decide nothing while rows are hidden from them, and they recover when the rights are granted again.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from daybook_infra.runtime.kafka.topics import ensure_topics
from daybook_infra.runtime.postgres.migrations import migrate
from support.driving import eventually, fresh_id, open_database
from support.granted import Granted, granted
from support.processes import Service, System
from support.publisher import Door, Send, are_projected, doors, item, send_until_decided
from support.reports import code_of, until_ready, until_unready
from support.stack import FreshSettings
from support.workload import by_user

pytestmark = pytest.mark.timeout(180)

# The service's role belongs to the cluster, so a test takes BYPASSRLS away from its own login instead.
BYPASSING_BY_ITSELF = """
REVOKE daybook_command FROM {login};
ALTER ROLE {login} RESET role;
ALTER ROLE {login} INHERIT BYPASSRLS;
GRANT daybook_command TO {login};
"""
IDENTITY_PROVIDER = "CREATE SCHEMA auth; CREATE TABLE auth.users (id uuid PRIMARY KEY, email text)"


@dataclass(frozen=True, slots=True)
class Site:
    granted: Granted
    system: System
    command: Service
    projector: Service
    door: Door

    async def new_user(self) -> str:
        user = fresh_id()
        await self.granted.owner.execute("INSERT INTO auth.users (id) VALUES ($1)", user)
        return user

    async def create_org(self) -> Send:
        return by_user("CREATE_ORG", fresh_id(), await self.new_user(), fresh_id(), name="Org")


@asynccontextmanager
async def running_site(fresh_settings: FreshSettings, folder: Path, prepare: str = "SELECT") -> AsyncIterator[Site]:
    """`prepare`: statements to run before the services start. `{login}` stands for the command service's login."""
    settings = fresh_settings(init=False, users="external", partitions=2, wait_seconds=2)
    async with open_database(settings) as owner:
        await owner.execute(IDENTITY_PROVIDER)
    await ensure_topics(settings)
    await migrate(settings)
    system = System(settings, folder)
    async with granted(settings) as roles:
        await roles.owner.execute(prepare.format(login=roles.login("command")))
        command = system.start("command", database_url=roles.url("command"))
        projector = system.start("projector", database_url=roles.url("projector"))
        try:
            await until_ready(system)
            async with doors(settings, command.url) as (door,):
                yield Site(roles, system, command, projector, door)
        finally:
            await asyncio.to_thread(system.stop)


async def test_revoked_read_rights_are_an_outage_until_granted(fresh_settings: FreshSettings, tmp_path: Path) -> None:
    async with running_site(fresh_settings, tmp_path) as site:
        assert (await send_until_decided(await site.create_org(), site.door))["status"] == 200
        role = site.granted.role("command")
        await site.granted.owner.execute(f"REVOKE SELECT ON auth.users FROM {role}")
        send = await site.create_org()
        assert code_of(item(await site.door.send(send))) == "202"
        await until_unready("postgres", "permission denied for table users", site.command)
        await asyncio.sleep(1)
        assert site.command.process.poll() is None
        await site.granted.owner.execute(f"GRANT SELECT ON auth.users TO {role}")
        await until_ready(site.system)
        assert await eventually(lambda: are_projected(site.door, [send]), 30)
        assert (await send_until_decided(send, site.door))["status"] == 200


async def test_hidden_rows_are_an_outage_and_not_unknown_users(fresh_settings: FreshSettings, tmp_path: Path) -> None:
    async with running_site(fresh_settings, tmp_path, BYPASSING_BY_ITSELF) as site:
        login = site.granted.login("command")
        assert (await send_until_decided(await site.create_org(), site.door))["status"] == 200
        await site.granted.owner.execute(f"ALTER ROLE {login} NOBYPASSRLS")
        await site.granted.owner.execute("ALTER TABLE auth.users ENABLE ROW LEVEL SECURITY")
        send = await site.create_org()
        assert code_of(item(await site.door.send(send))) == "202"
        await until_unready("postgres", "row-level security", site.command)
        await site.granted.owner.execute(f"ALTER ROLE {login} BYPASSRLS")
        await until_ready(site.system)
        assert (await send_until_decided(send, site.door))["status"] == 200


@pytest.mark.parametrize(
    ("right", "reason"),
    [
        ("INSERT ON audit_log", "permission denied for table audit_log"),
        ("UPDATE ON daybook.checkpoints", "permission denied for table checkpoints"),
        ("USAGE ON SCHEMA daybook", "permission denied for schema daybook"),
    ],
)
async def test_revoked_rights_of_the_projector_are_an_outage_until_granted_again(
    fresh_settings: FreshSettings, tmp_path: Path, right: str, reason: str
) -> None:
    async with running_site(fresh_settings, tmp_path) as site:
        role = site.granted.role("projector")
        await site.granted.owner.execute(f"REVOKE {right} FROM {role}")
        send = await site.create_org()
        assert (await send_until_decided(send, site.door))["status"] == 200
        await until_unready("postgres", reason, site.projector)
        assert (await site.door.outcome(send)).status_code == 404
        await site.granted.owner.execute(f"GRANT {right} TO {role}")
        await until_ready(site.system)
        assert await eventually(lambda: are_projected(site.door, [send]), 30)
