"""Commands arrive faster than the service can decide them. They wait in Kafka or are refused, and memory stays
bounded.
"""

import asyncio
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import psutil
import pytest
from aiokafka import AIOKafkaProducer

from daybook_command.engine.assignment import MAX_QUEUED, MAX_QUEUED_BYTES
from daybook_command.http.body_budget import MAX_BYTES
from daybook_contracts.limits import BATCH_BYTES
from daybook_infra.runtime.http.byte_budget import SHARES
from daybook_infra.runtime.kafka.options import MIB
from daybook_infra.runtime.settings import Settings
from support.chain import partition_of
from support.driving import check_tables, eventually, fresh_id, new_tenant, open_database
from support.logbook import org_in
from support.processes import Service, System, Systems
from support.publisher import Send, doors, item
from support.replay import by_command, entries_of, read_log
from support.reports import code_of, status, until_ready
from support.workload import SERVICE, command

pytestmark = pytest.mark.timeout(300)
SMALL, LARGE = 0, 1
"""The partition flooded with many small commands, and the one flooded with fewer large commands."""
SMALL_COUNT, LARGE_COUNT, LARGE_BYTES = 6_000, 1_500, 48 * 1024
SLOW_COUNT, CHUNK = 48, 64 * 1024
FLOODING = [f"service:flood-{number}" for number in range(SHARES)]
"""Each of these services may use one share (a quarter) of the body budget."""
BATCHES_PER_SENDER = 4
"""How many almost complete batches of 4 MiB fit into one sender's share of the body budget."""
LOCK_AUDIT_LOG = "LOCK TABLE audit_log IN ACCESS EXCLUSIVE MODE"
DOOR_HELD, DOOR_WAITING = "daybook_door_held_bytes", "daybook_door_waiting_commands"
DOOR_ANSWERS = "daybook_door_request_seconds_count"
QUEUED, QUEUED_BYTES = "daybook_command_queued_commands", "daybook_command_queued_bytes"
# A queue that is not full takes all records of one poll, so it may exceed its limit by this much.
POLLED, POLLED_BYTES = 2_000, 5 * MIB


@asynccontextmanager
async def nothing_is_decided(settings: Settings) -> AsyncIterator[None]:
    """Locks a table that every decision reads."""
    async with open_database(settings) as connection, connection.transaction():
        await connection.execute(LOCK_AUDIT_LOG)
        yield


def rss(service: Service) -> int:
    found: int = psutil.Process(service.process.pid).memory_info().rss
    return found


def large_command(org_id: str, size: int) -> Send:
    """A command of this size that is rejected because its project does not exist."""
    config = {"note": secrets.token_hex(size // 2)}
    data = {"project_id": fresh_id(), "type": "warehouse", "name": "Large", "config": config}
    return Send(SERVICE, command("CREATE_CONNECTION", org_id, None, fresh_id(), **data))


async def check_each_is_decided_once(settings: Settings, sends: Sequence[Send]) -> None:
    entries = by_command(entries_of(await read_log(settings)))
    times = Counter(command_id for _, command_id in entries)
    assert {times[send.command["id"]] for send in sends} == {1}
    await check_tables(settings)


async def publish(settings: Settings, sends: Sequence[Send]) -> None:
    """Publishes commands as fast as Kafka accepts them."""
    async with AIOKafkaProducer(bootstrap_servers=settings.kafka_bootstrap, acks="all", max_batch_size=MIB) as producer:
        acks = [
            await producer.send(
                settings.topic_prefix + "commands",
                send.body,
                key=send.key.encode(),
                partition=partition_of(send.key, settings.partitions),
                headers=[("daybook-principal", send.principal.encode())],
            )
            for send in sends
        ]
        await asyncio.gather(*acks)


async def count_undecided(system: System) -> int:
    return sum(each["commands_lag"] for each in (await status(system.settings))["partitions"])


async def test_a_flood_over_kafka_waits_in_kafka(systems: Systems) -> None:
    system = systems.start(partitions=2)
    settings, (service,) = system.settings, system.commands
    async with doors(settings, service.url) as (door,), open_database(settings) as database:
        tenants = [await new_tenant(door, database, org_in(number, 2)) for number in (SMALL, LARGE)]
    sends = [tenants[SMALL].rename(f"Name {number}") for number in range(SMALL_COUNT)]
    sends += [large_command(tenants[LARGE].org_id, LARGE_BYTES) for _ in range(LARGE_COUNT)]
    before = rss(service)
    async with nothing_is_decided(settings):
        await publish(settings, sends)
        await eventually(lambda: is_full(service), 60)
        assert await count_undecided(system) == SMALL_COUNT + LARGE_COUNT
        assert service.metric(QUEUED, partition=str(SMALL)) <= MAX_QUEUED + POLLED
        assert service.metric(QUEUED_BYTES, partition=str(LARGE)) <= MAX_QUEUED_BYTES + POLLED_BYTES
        grown = rss(service) - before
    assert grown < LARGE_COUNT * LARGE_BYTES, f"{grown / MIB:.0f} MiB"
    await eventually(lambda: is_done(system), 120)
    await until_ready(system)
    await check_each_is_decided_once(settings, sends)


async def is_done(system: System) -> bool:
    return await count_undecided(system) == 0


async def is_full(service: Service) -> bool:
    return (
        service.metric(QUEUED, partition=str(SMALL)) >= MAX_QUEUED
        and service.metric(QUEUED_BYTES, partition=str(LARGE)) >= MAX_QUEUED_BYTES
    )


async def slow_body(end: asyncio.Event) -> AsyncIterator[bytes]:
    """A batch of almost the largest size, whose last byte is sent only after `end`."""
    for _ in range(BATCH_BYTES // CHUNK - 1):
        yield b" " * CHUNK
    await end.wait()
    yield b" "


async def test_a_flood_over_http_is_refused_before_it_fills_the_memory(systems: Systems) -> None:
    system = systems.start(partitions=2)
    settings, (service,) = system.settings, system.commands
    async with doors(settings, service.url) as (door,), open_database(settings) as database:
        tenant, before = await new_tenant(door, database), rss(service)
        end = asyncio.Event()
        url = f"{service.url}/v1/commands:batch"
        slow = [
            asyncio.create_task(door.client.post(url, content=slow_body(end), headers=door.bearer(sender)))
            for sender in FLOODING
            for _ in range(SLOW_COUNT // SHARES)
        ]
        await eventually(lambda: has_refused(service, SLOW_COUNT - SHARES * BATCHES_PER_SENDER), 60)
        await eventually(lambda: is_budget_used(service), 60)
        grown = rss(service) - before
        assert code_of(item(await door.send(tenant.rename("Other sender")))) == "200"
        end.set()
        answers = await asyncio.gather(*slow)
        assert Counter(code_of(item(answer)) for answer in answers) == {
            "400 INVALID_COMMAND": SHARES * BATCHES_PER_SENDER,
            "503 UNAVAILABLE": SLOW_COUNT - SHARES * BATCHES_PER_SENDER,
        }
        assert {int(answer.headers["retry-after"]) > 0 for answer in answers if answer.status_code == 503} == {True}
        assert (service.metric(DOOR_HELD), service.metric(DOOR_WAITING)) == (0, 0)
    assert grown < SLOW_COUNT * BATCH_BYTES / 2, f"{grown / MIB:.0f} MiB"


async def is_budget_used(service: Service) -> bool:
    return MAX_BYTES - BATCH_BYTES < service.metric(DOOR_HELD) <= MAX_BYTES


async def has_refused(service: Service, times: int) -> bool:
    return service.metric(DOOR_ANSWERS, status="503") == times
