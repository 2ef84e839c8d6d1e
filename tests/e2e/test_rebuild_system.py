"""A running system decides wrongly on damaged tables. After a rebuild, its decisions are right again."""

import asyncio

import pytest

from support.driving import check_tables, created_id, new_tenant, open_database, until_projected
from support.processes import Systems
from support.publisher import doors, send_until_decided
from support.rebuilding import run_rebuild
from support.shell import run_daybook

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]


async def test_decisions_are_right_again_after_a_rebuild(systems: Systems) -> None:
    system = systems.start(partitions=2)
    settings = system.settings
    async with doors(settings, system.commands[0].url) as (door,), open_database(settings) as database:
        tenant, other = await new_tenant(door, database), await new_tenant(door, database)
        secret = {"key_name": "a", "secret_id_ref": "vault:a/b#c"}
        created = await send_until_decided(tenant.by(tenant.owner, "CREATE_SECRET_REF", **secret), door)
        await until_projected(database, [created["position"]])
        await database.execute("DELETE FROM org_members WHERE user_id = $1", tenant.admin)
        await database.execute("UPDATE org_members SET role = 'owner' WHERE user_id = $1", other.viewer)
        await database.execute("DELETE FROM secret_refs WHERE id = $1", created_id(created))
    # A shard that starts now reads the damaged rows.
    await asyncio.to_thread(system.commands.pop().stop)
    await asyncio.to_thread(system.start("command").wait_ready)
    async with doors(settings, system.commands[0].url) as (door,), open_database(settings) as database:
        refused = await send_until_decided(tenant.by(tenant.admin, "RENAME_ORG", name="By the admin"), door)
        assert refused["code"] == "ORG_NOT_FOUND"
        assert (await run_daybook(settings, "audit", "verify", "--scope", "tables")).code == 1
        rebuilt = await run_rebuild(settings, "--yes")
        assert (rebuilt.code, rebuilt.stdout.splitlines()[-1]) == (0, "3 rows corrected"), rebuilt
        renamed = await send_until_decided(tenant.by(tenant.admin, "RENAME_ORG", name="By the admin"), door)
        assert renamed["status"] == 200
        viewer = await send_until_decided(other.by(other.viewer, "RENAME_ORG", name="By a viewer"), door)
        assert viewer["code"] == "FORBIDDEN"
        await until_projected(database, [renamed["position"], viewer["position"]])
        assert (await run_daybook(settings, "audit", "verify")).code == 0
    await check_tables(settings)
