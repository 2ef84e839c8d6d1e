"""Somebody writes to the log beside its shard: what does not extend the log is void for everybody, and is counted."""

import json
from collections.abc import Callable
from uuid import uuid4

import pytest
from prometheus_client.parser import text_string_to_metric_families

from support.chain import Chain, Json, entry_id, jcs, partition_of, sealed
from support.driving import check_tables, connected, new_tenant, until_projected
from support.forging import append, later
from support.processes import Service, Systems
from support.publisher import decided, doors
from support.replay import read_log
from support.tables import read_tables

pytestmark = pytest.mark.e2e
TOTAL = "_voids_total"


def forged(chain: Chain, position: int, prev: str) -> Json:
    """A well-formed renaming of the org of the last entry, under a new command id, put at a place of the chain."""
    last, command_id = chain.entries[-1], str(uuid4())
    metadata = last["metadata_json"] | {"command_id": command_id, "data": {"name": "Forged"}}
    entry = last | {"action": "RENAME_ORG", "entity_type": "org", "entity_id": last["org_id"]}
    return sealed(entry | {"id": entry_id(last["org_id"], command_id), "metadata_json": metadata}, position, prev)


def wrong_prev(chain: Chain) -> bytes:
    return jcs(forged(chain, chain.head[0] + 1, "ab" * 32))


def repeated_position(chain: Chain) -> bytes:
    last = chain.entries[-1]["metadata_json"]
    return jcs(forged(chain, last["position"], last["prev"]))


def old_head(chain: Chain) -> bytes:
    old = chain.entries[-2]["metadata_json"]
    return jcs(forged(chain, old["position"] + 1, old["hash"]))


def skipped_position(chain: Chain) -> bytes:
    return jcs(forged(chain, chain.head[0] + 2, chain.head[1]))


def wrong_hash(chain: Chain) -> bytes:
    entry = forged(chain, chain.head[0] + 1, chain.head[1])
    entry["metadata_json"]["hash"] = "cd" * 32
    return jcs(entry)


def wrong_partition(chain: Chain) -> bytes:
    other = Chain(chain.partition + 1, chain.entries)
    entry = forged(other, chain.head[0] + 1, chain.head[1])
    return jcs(sealed(entry | {"metadata_json": entry["metadata_json"] | {"partition": other.partition}}, *chain.head))


def not_canonical(chain: Chain) -> bytes:
    return json.dumps(forged(chain, chain.head[0] + 1, chain.head[1])).encode()


def again(chain: Chain) -> bytes:
    return jcs(chain.entries[-1])


def garbage(_: Chain) -> bytes:
    return b"\x00\xff garbage"


def not_utf8(chain: Chain) -> bytes:
    return jcs(forged(chain, chain.head[0] + 1, chain.head[1])).replace(b'"Forged"', b'"Forg\xe9d"')


def tombstone(_: Chain) -> None:
    return None


VOID: list[Callable[[Chain], bytes | None]] = [
    wrong_prev,
    repeated_position,
    old_head,
    skipped_position,
    wrong_hash,
    wrong_partition,
    not_canonical,
    again,
    garbage,
    not_utf8,
    tombstone,
]


async def test_records_that_do_not_extend_the_log_are_void_counted_and_change_nothing(systems: Systems) -> None:
    system = systems.start(partitions=2)
    settings, (command,), (projector,) = system.settings, system.commands, system.projectors
    async with doors(settings, command.url) as (door,), connected(settings) as database:
        tenant = await new_tenant(door, database)
        await check_tables(settings)
        before = await read_tables(database)
        chain = (await read_log(settings))[partition_of(tenant.org_id, 2)]
        await append(settings, chain.partition, [make(chain) for make in VOID])
        answer = await decided(tenant.rename("Still here"), door)
        assert answer["position"] == f"{chain.partition}.{chain.head[0] + 1}"
        await until_projected(database, [answer["position"]])
        after = await read_tables(database)
        assert await database.fetchval("select name from orgs where id = $1", tenant.org_id) == "Still here"
    assert len(after["audit_log"]) == len(before["audit_log"]) + 1
    assert all(after[name] == before[name] for name in ("org_members", "projects", "project_members"))
    assert len((await read_log(settings))[chain.partition].voids) == len(VOID)
    assert (voids(command), voids(projector)) == (len(VOID), len(VOID))
    assert "void" in command.log.read_text()
    assert "void" in projector.log.read_text()
    await check_tables(settings)


async def test_a_well_formed_entry_on_the_head_itself_is_admitted_and_the_shard_folds_it(systems: Systems) -> None:
    system = systems.start(partitions=2)
    settings, (command,) = system.settings, system.commands
    async with doors(settings, command.url) as (door,), connected(settings) as database:
        tenant = await new_tenant(door, database)
        chain = (await read_log(settings))[partition_of(tenant.org_id, 2)]
        forgery = forged(chain, chain.head[0] + 1, chain.head[1])
        forgery |= {"actor_user_id": tenant.owner, "created_at": later(chain)}
        await append(settings, chain.partition, [jcs(sealed(forgery, chain.head[0] + 1, chain.head[1]))])
        answer = await decided(tenant.rename("Forged"), door)
        assert answer["position"] == f"{chain.partition}.{chain.head[0] + 2}"
    entry = (await read_log(settings))[chain.partition].entries[-1]
    assert entry["metadata_json"]["data"] == {"name": "Forged", "changed": False}
    assert voids(command) <= 1
    await check_tables(settings)


def voids(service: Service) -> float:
    """What the service's metrics count as void, whatever the partition and the reason."""
    families = text_string_to_metric_families(service.metrics())
    found: list[float] = [one.value for family in families for one in family.samples if one.name.endswith(TOTAL)]
    return sum(found)
