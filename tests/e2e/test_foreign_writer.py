"""A foreign program writes to the log. Records that do not extend the log are void for every reader, and are
counted.
"""

from support.chain import hashed_at, jcs, partition_of
from support.driving import check_tables, new_tenant, open_database, send_and_project
from support.forgeries import VOID, forged_rename
from support.forging import append, time_after
from support.processes import Systems
from support.publisher import doors, send_until_decided
from support.replay import read_log
from support.tables import read_tables

COMMAND_VOIDS, PROJECTOR_VOIDS = "daybook_command_voids_total", "daybook_projector_voids_total"


async def test_records_that_do_not_extend_the_log_are_void_and_counted(systems: Systems) -> None:
    system = systems.start(partitions=2)
    settings, (command,), (projector,) = system.settings, system.commands, system.projectors
    async with doors(settings, command.url) as (door,), open_database(settings) as database:
        tenant = await new_tenant(door, database)
        await check_tables(settings)
        before = await read_tables(database)
        chain = (await read_log(settings))[partition_of(tenant.org_id, 2)]
        await append(settings, chain.partition, [make(chain) for make in VOID])
        answer = await send_and_project(door, database, tenant.rename("Still here"))
        assert answer["position"] == f"{chain.partition}.{chain.head[0] + 1}"
        after = await read_tables(database)
        assert await database.fetchval("select name from orgs where id = $1", tenant.org_id) == "Still here"
    assert len(after["audit_log"]) == len(before["audit_log"]) + 1
    assert all(after[name] == before[name] for name in ("org_members", "projects", "project_members"))
    assert len((await read_log(settings))[chain.partition].voids) == len(VOID)
    assert (command.metric(COMMAND_VOIDS), projector.metric(PROJECTOR_VOIDS)) == (len(VOID), len(VOID))
    assert "void" in command.log.read_text()
    assert "void" in projector.log.read_text()
    await check_tables(settings)


async def test_a_well_formed_entry_after_the_head_is_admitted_and_folded_by_the_shard(systems: Systems) -> None:
    system = systems.start(partitions=2)
    settings, (command,) = system.settings, system.commands
    async with doors(settings, command.url) as (door,), open_database(settings) as database:
        tenant = await new_tenant(door, database)
        chain = (await read_log(settings))[partition_of(tenant.org_id, 2)]
        forgery = forged_rename(chain, chain.head[0] + 1, chain.head[1])
        forgery |= {"actor_user_id": tenant.owner, "created_at": time_after(chain)}
        await append(settings, chain.partition, [jcs(hashed_at(forgery, chain.head[0] + 1, chain.head[1]))])
        answer = await send_until_decided(tenant.rename("Forged"), door)
        assert answer["position"] == f"{chain.partition}.{chain.head[0] + 2}"
    entry = (await read_log(settings))[chain.partition].entries[-1]
    assert entry["metadata_json"]["data"] == {"name": "Forged", "changed": False}
    # If the shard appended before it had read the forged entry, its own first append is void.
    assert command.metric(COMMAND_VOIDS) <= 1
    await check_tables(settings)
