"""A running system with an org in quarantine. Commands of this org are refused, and other orgs continue. After healing,
the org continues in the state of its log.
"""

import pytest

from daybook_infra.runtime.postgres.connections import Connection
from support.chain import Json
from support.driving import (
    Tenant,
    check_tables,
    eventually,
    fresh_id,
    new_tenant,
    open_database,
    register,
    send_and_project,
    until_projected,
)
from support.forging import MIB, forge
from support.healing import run_heal, start_heal
from support.processes import System, Systems
from support.publisher import Door, Send, doors, send_until_decided

pytestmark = pytest.mark.timeout(180)
QUARANTINE = """
SELECT partition || '.' || position FROM daybook.quarantine WHERE org_id = $1::uuid AND released_at IS NULL
"""
LOCK_MEMBERS = "SELECT FROM org_members WHERE org_id = $1 FOR UPDATE"
BLOCKED = "SELECT FROM pg_stat_activity WHERE application_name = 'daybook-heal' AND wait_event_type = 'Lock'"
NO_BACKENDS = "SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name = 'daybook-heal'"
ROLES = "SELECT user_id::text, role::text FROM org_members WHERE org_id = $1"
NAMES = "SELECT id::text, name FROM orgs"


def poisons(tenant: Tenant) -> dict[str, Json]:
    """Entries that cannot be projected, by the error that healing reports."""
    member = {"user_id": tenant.admin, "role": "admin"}
    key = {"secret_ref_id": fresh_id(), "key_name": "".join(fresh_id() for _ in range(500)), "secret_id_ref": "env:A"}
    return {
        "unknown action 'DANCE'": {"action": "DANCE", "data": {"name": "x"}},
        "unknown version 2": {"action": "RENAME_ORG", "data": {"name": "x"}, "_v": 2},
        "the id is not the entry's first id": {
            "action": "RENAME_ORG",
            "data": {"name": "x"},
            "id": fresh_id(),
        },
        "a row of public.org_members is inserted twice": {
            "action": "ADD_MEMBER",
            "data": member,
            "entity_type": "org_member",
        },
        "ProgramLimitExceededError": {"action": "CREATE_SECRET_REF", "data": key, "entity_type": "secret_ref"},
    }


async def wait_for_quarantine(database: Connection, tenant: Tenant, position: str) -> None:
    async def is_quarantined() -> bool:
        found: str | None = await database.fetchval(QUARANTINE, tenant.org_id)
        return found == position

    await eventually(is_quarantined)


async def wait_for_refusal(door: Door, send: Send) -> None:
    async def is_refused() -> bool:
        answer = await door.send(send)
        return (answer.status_code, answer.json().get("code")) == (503, "ORG_QUARANTINED")

    await eventually(is_refused)


async def by_id(database: Connection, query: str, *arguments: str) -> dict[str, str]:
    return {row[0]: row[1] for row in await database.fetch(query, *arguments)}


async def test_each_poison_entry_quarantines_its_org_and_is_named_by_healing(systems: Systems) -> None:
    system = systems.start(partitions=1)
    settings, (command,) = system.settings, system.commands
    async with doors(settings, command.url) as (door,), open_database(settings) as database:
        healthy = await new_tenant(door, database)
        for reason in poisons(healthy):
            poisoned = await new_tenant(door, database)
            position = await forge(settings, poisoned.org_id, poisoned.owner, **poisons(poisoned)[reason])
            await wait_for_quarantine(database, poisoned, position)
            await wait_for_refusal(door, poisoned.rename("Later"))
            await send_and_project(door, database, healthy.rename(reason))
            healing = await run_heal(settings, poisoned.org_id)
            assert (healing.code, healing.stdout) == (2, "")
            assert healing.stderr.startswith(f"Error: entry {position} (")
            assert reason in healing.stderr
            assert healing.stderr.count("\n") == 1
            await wait_for_quarantine(database, poisoned, position)
            assert (await by_id(database, NAMES))[poisoned.org_id] == "Org"
            assert (await by_id(database, NAMES))[healthy.org_id] == reason


async def test_a_healed_org_continues_in_the_state_of_its_log(systems: Systems) -> None:
    system = systems.start(partitions=2)
    settings, (command,) = system.settings, system.commands
    async with doors(settings, command.url) as (door,), open_database(settings) as database:
        tenant, newcomer = await new_tenant(door, database), fresh_id()
        joined = {"user_id": newcomer, "role": "member"}
        position = await forge(settings, tenant.org_id, tenant.owner, "ADD_MEMBER", joined)
        await wait_for_quarantine(database, tenant, position)
        await forge(settings, tenant.org_id, tenant.owner, "RENAME_ORG", {"name": "Behind"})
        early = tenant.by(newcomer, "CREATE_PROJECT", name="Mine")
        promoted = tenant.by(tenant.owner, "UPDATE_MEMBER", user_id=newcomer, role="admin")
        await wait_for_refusal(door, promoted)
        assert f"user {newcomer} does not exist" in (await run_heal(settings, tenant.org_id)).stderr
        await register(door, database, [newcomer])
        healed = await run_heal(settings, tenant.org_id)
        assert (healed.code, healed.stdout.splitlines()[-1]) == (0, f"org {tenant.org_id} is released"), healed
        assert (await send_until_decided(early, door))["code"] == "FORBIDDEN"
        # A command refused during quarantine can be sent again with the same id.
        assert (await send_until_decided(promoted, door))["status"] == 200
        await send_and_project(door, database, tenant.by(newcomer, "CREATE_PROJECT", name="Mine"))
        assert (await by_id(database, ROLES, tenant.org_id))[newcomer] == "admin"
        assert (await by_id(database, NAMES))[tenant.org_id] == "Behind"
    await check_tables(settings)


async def test_other_orgs_continue_while_a_healing_is_blocked_and_a_killed_healing_can_be_repeated(
    systems: Systems,
) -> None:
    system = systems.start(partitions=1)
    settings, (command,) = system.settings, system.commands
    async with (
        doors(settings, command.url) as (door,),
        open_database(settings) as database,
        open_database(settings) as other,
    ):
        healthy, poisoned = await new_tenant(door, database), await new_tenant(door, database)
        await check_tables(settings)
        await database.execute("DELETE FROM org_members WHERE user_id = $1", poisoned.viewer)
        raised = {"user_id": poisoned.viewer, "role": "member"}
        position = await forge(settings, poisoned.org_id, poisoned.owner, "UPDATE_MEMBER", raised)
        await wait_for_quarantine(database, poisoned, position)
        await database.execute("UPDATE org_members SET role = 'viewer' WHERE user_id = $1", poisoned.admin)
        async with other.transaction():
            await other.execute(LOCK_MEMBERS, poisoned.org_id)
            await check_others_continue(system, door, database, healthy, poisoned)
        healed = await run_heal(settings, poisoned.org_id)
        assert healed.stdout.startswith("public.org_members: 1 missing, 1 different, 0 surplus\n"), healed
        renamed = await send_until_decided(poisoned.by(poisoned.admin, "RENAME_ORG", name="Healed"), door)
        assert renamed["status"] == 200
        assert (await by_id(database, ROLES, poisoned.org_id))[poisoned.viewer] == "member"
    await check_tables(settings)


async def check_others_continue(
    system: System, door: Door, database: Connection, healthy: Tenant, poisoned: Tenant
) -> None:
    """Asserts that another org's command is decided and projected while a healing waits for a locked row. Then kills
    the healing.
    """
    process = await start_heal(system.settings, poisoned.org_id)
    await eventually(lambda: database.fetch(BLOCKED))
    await send_and_project(door, database, healthy.rename("Meanwhile"))
    await wait_for_refusal(door, poisoned.rename("Later"))
    process.kill()
    await process.communicate()
    await eventually(lambda: database.fetchval(NO_BACKENDS))
    assert await database.fetchval(QUARANTINE, poisoned.org_id) is not None


async def test_an_entry_over_a_megabyte_is_applied(systems: Systems) -> None:
    system = systems.start(partitions=1)
    settings, (command,) = system.settings, system.commands
    async with doors(settings, command.url) as (door,), open_database(settings) as database:
        tenant = await new_tenant(door, database)
        large = "".join(fresh_id() for _ in range(3 * MIB // 36))
        position = await forge(settings, tenant.org_id, tenant.owner, "RENAME_ORG", {"name": large})
        await until_projected(database, [position])
        assert (await by_id(database, NAMES))[tenant.org_id] == large
        assert (await send_until_decided(tenant.rename("Small"), door))["status"] == 200
    await check_tables(settings)
