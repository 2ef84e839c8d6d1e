"""Records that a broken or hostile writer may append to the log. None of them ends a service or stops its partition. An
entry that extends the log but cannot be projected quarantines only its org.
"""

import random
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from aiokafka import AIOKafkaProducer

from daybook_infra.runtime.postgres.connections import Connection
from daybook_infra.runtime.settings import Settings
from support.chain import Chain, Json, jcs, partition_of
from support.driving import (
    Tenant,
    check_tables,
    eventually,
    fresh_id,
    new_tenant,
    open_database,
    send_and_project,
    until_projected,
)
from support.forging import MIB, append, forge, forged_entry
from support.odd_headers import NotUtf8, slow_builder
from support.processes import System, Systems
from support.publisher import Door, doors
from support.replay import read_log
from support.shell import run_daybook

pytestmark = pytest.mark.timeout(240)
SECONDS = 60.0
# Random bytes, so that compression does not make the record small.
NOISE = random.Random(5).randbytes(4 * MIB - 1024)
REASONS = "SELECT org_id::text, reason FROM daybook.quarantine WHERE released_at IS NULL"
INVALID_ENTRIES: dict[str, Json] = {
    "unknown field `a�b�xx": {"a\0b\n" + "x" * MIB: 1},
    "Expected `int` <= 1000 - at `$.metadata_json.entries`": {"_entries": 2**53 - 1},
    "Expected `int` <= 1000": {"_ordinal": 2**32, "_entries": 2**53 - 1},
    "created_at is not a time": {"created_at": "2026-11-22T15:10:13Z"},
    "Expected `str`, got `array` - at `$.name`": {"data": {"name": []}},
}


@pytest_asyncio.fixture
async def system(systems: Systems) -> AsyncIterator[System]:
    """Checks after each test that the services are still running."""
    system = systems.start(partitions=2)
    yield system
    assert [service.process.poll() for service in system.services] == [None, None]


async def check_continues(door: Door, database: Connection, *tenants: Tenant) -> None:
    for tenant in tenants:
        await send_and_project(door, database, tenant.rename(fresh_id()), SECONDS)


async def two_orgs(door: Door, database: Connection) -> tuple[Tenant, Tenant]:
    """Creates two orgs in the same partition."""
    first = second = await new_tenant(door, database)
    while second is first or partition_of(second.org_id, 2) != partition_of(first.org_id, 2):
        second = await new_tenant(door, database)
    return first, second


async def test_records_that_are_not_entries_are_skipped(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    settings, (command,) = system.settings, system.commands
    async with doors(settings, command.url) as (door,), open_database(settings) as database:
        tenant = await new_tenant(door, database)
        partition = partition_of(tenant.org_id, 2)
        await append(settings, partition, [NOISE, b"[" * len(NOISE), b'{"a":' * 700_000, b""])
        await publish_compressed(settings, partition, b"x" * 20 * MIB)
        with slow_builder(monkeypatch):
            await publish_compressed(settings, partition, None, key=b"\xff", name=NotUtf8("xx"))
        await check_continues(door, database, tenant)
        assert len((await read_log(settings))[partition].voids) == 6
    await check_tables(settings)


async def test_an_entry_that_decompresses_beyond_the_limit_of_the_topic_is_applied(system: System) -> None:
    settings, (command,) = system.settings, system.commands
    async with doors(settings, command.url) as (door,), open_database(settings) as database:
        tenant = await new_tenant(door, database)
        chain = await chain_of(settings, tenant)
        value = jcs(forged_entry(chain, tenant.org_id, tenant.owner, "RENAME_ORG", {"name": "x" * 9 * MIB}))
        await publish_compressed(settings, chain.partition, value)
        await until_projected(database, [f"{chain.partition}.{chain.head[0] + 1}"], SECONDS)
        assert await database.fetchval("SELECT length(name) FROM orgs WHERE id = $1", tenant.org_id) == 9 * MIB
        await check_continues(door, database, tenant)
    await check_tables(settings)


async def test_an_invalid_entry_quarantines_its_org_and_has_one_line_in_status(system: System) -> None:
    settings, (command,) = system.settings, system.commands
    async with doors(settings, command.url) as (door,), open_database(settings) as database:
        for reason, changes in INVALID_ENTRIES.items():
            poisoned, healthy = await two_orgs(door, database)
            data = changes.get("data", {"name": "poison"})
            rest = {name: value for name, value in changes.items() if name != "data"}
            await forge(settings, poisoned.org_id, poisoned.owner, "RENAME_ORG", data, **rest)
            await check_quarantined(door, database, poisoned, reason)
            await check_continues(door, database, healthy)
            assert await database.fetchval("SELECT name FROM orgs WHERE id = $1", poisoned.org_id) == "Org"
        result = await run_daybook(settings, "status")
        lines = [line for line in result.stdout.splitlines() if line.startswith("in quarantine")]
    assert len(lines) == len(INVALID_ENTRIES)
    assert all(len(line) < 500 for line in lines)


async def test_an_entry_in_a_foreign_partition_quarantines_only_its_org(system: System) -> None:
    settings, (command,) = system.settings, system.commands
    async with doors(settings, command.url) as (door,), open_database(settings) as database:
        poisoned, healthy = await two_orgs(door, database)
        foreign = (await read_log(settings))[1 - partition_of(poisoned.org_id, 2)]
        entry = forged_entry(foreign, poisoned.org_id, poisoned.owner, "RENAME_ORG", {"name": "foreign"})
        await append(settings, foreign.partition, [jcs(entry)])
        await check_quarantined(door, database, poisoned, f"it is in partition {foreign.partition}")
        assert await database.fetchval("SELECT name FROM orgs WHERE id = $1", poisoned.org_id) == "Org"
        await check_continues(door, database, healthy, await new_tenant(door, database))


async def test_a_repeat_of_an_entry_that_claims_a_huge_number_of_entries_is_answered(system: System) -> None:
    """Repeats a command whose forged entry claims to be one of 2^53 - 1 entries."""
    settings, (command,) = system.settings, system.commands
    async with doors(settings, command.url) as (door,), open_database(settings) as database:
        poisoned, healthy = await two_orgs(door, database)
        await forge(settings, poisoned.org_id, poisoned.owner, "RENAME_ORG", {"name": "poison"}, _entries=2**53 - 1)
        await check_quarantined(door, database, poisoned, "Expected `int` <= 1000")
        entry = (await chain_of(settings, poisoned)).entries[-1]
        again = poisoned.rename("poison")
        again.command["id"] = entry["metadata_json"]["command_id"]
        answer = (await door.send(again)).json()
        assert answer["code"] == "INTERNAL", answer
        await check_continues(door, database, healthy)


async def check_quarantined(door: Door, database: Connection, poisoned: Tenant, reason: str) -> None:
    async def is_quarantined() -> bool:
        found = {row[0]: row[1] for row in await database.fetch(REASONS)}
        return reason in found.get(poisoned.org_id, "")

    await eventually(is_quarantined, SECONDS)
    answer = await door.send(poisoned.rename("Later"))
    assert answer.json()["code"] == "ORG_QUARANTINED", answer.text


async def chain_of(settings: Settings, tenant: Tenant) -> Chain:
    return (await read_log(settings))[partition_of(tenant.org_id, settings.partitions)]


async def publish_compressed(
    settings: Settings, partition: int, value: bytes | None, *, key: bytes = b"foreign", name: str = "name"
) -> None:
    """Publishes a record that is compressed to a small size in the topic."""
    async with AIOKafkaProducer(
        bootstrap_servers=settings.kafka_bootstrap, max_request_size=64 * MIB, compression_type="zstd"
    ) as producer:
        batch = producer.create_batch()
        batch.append(key=key, value=value, timestamp=None, headers=[(name, b"v")])
        await (await producer.send_batch(batch, settings.topic_prefix + "audit_log", partition=partition))
