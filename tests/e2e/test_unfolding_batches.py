"""Decompression bombs: record batches that decompress to more than 64 MiB. Each becomes a dead letter or is skipped,
costs little, and does not stop other senders from being answered.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from support.bombs import MIB, bomb, header_bomb, send_raw
from support.deadletters import DeadLetter, dead_letter
from support.driving import check_tables, fresh_id, new_tenant, open_database, over_kafka, send_and_project
from support.processes import Service, System, Systems
from support.publisher import Publisher, doors
from support.workload import registration_in

pytestmark = pytest.mark.timeout(240)
SECONDS = 60.0
GIB_IN_MIB = 1024
# Zeros that each codec compresses into a batch that the topic accepts (at most 4 MiB).
BOMBS = {
    "zstd": bomb("zstd", 3, 400 * MIB),
    "gzip": bomb("gzip", 3, 200 * MIB),
    "lz4": bomb("lz4", 3, 200 * MIB),
    "snappy": bomb("snappy", 2, 35 * MIB),
}


@pytest_asyncio.fixture
async def system(systems: Systems) -> AsyncIterator[System]:
    """Checks after each test that the services are still running and that none has ever used 1 GiB. The zstd bomb
    alone would need more.
    """
    system = systems.start(partitions=2)
    yield system
    assert [service.process.poll() for service in system.services] == [None, None]
    assert max(map(peak_mib, system.services)) < GIB_IN_MIB


def peak_mib(service: Service) -> int:
    status = Path(f"/proc/{service.process.pid}/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) // 1024


async def metric(service: Service, name: str) -> float:
    async with httpx.AsyncClient() as client:
        text = (await client.get(f"{service.url}/metrics")).text
    return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(f"{name}{{"))


def parts_of(letter: DeadLetter) -> tuple[bytes | None, bytes | None, str]:
    assert set(letter.headers) == {"daybook-reason", "daybook-origin", "daybook-origin-last"}
    return letter.key, letter.value, letter.headers["daybook-origin-last"].decode()


async def test_each_bomb_becomes_one_dead_letter_and_later_commands_are_answered(system: System) -> None:
    settings, (command,) = system.settings, system.commands
    topic = settings.topic_prefix + "commands"
    async with Publisher(settings) as publisher:
        for batch in BOMBS.values():
            (first,) = await send_raw(settings.kafka_bootstrap, topic, 1, batch)
            answer = await over_kafka(publisher, SECONDS)(registration_in(1, 2))
            assert answer["status"] == 200
            letter = await dead_letter(settings, 1, first)
            assert letter.reason.startswith("INVALID_COMMAND: the record batch unfolds to more than 64 MiB")
            assert parts_of(letter) == (None, b"", f"{topic}/1/{first + batch.records - 1}")
    assert await metric(command, "daybook_command_lost_total") == sum(batch.records for batch in BOMBS.values())


async def test_millions_of_headers_in_a_small_batch_cost_little(system: System) -> None:
    settings = system.settings
    topic = settings.topic_prefix + "commands"
    batches = [header_bomb(headers, b"{}") for headers in (500_000, 33_000_000)]
    for batch in batches:
        assert batch.size() < 4_096
    sent = await send_raw(settings.kafka_bootstrap, topic, 1, *batches * 5)
    async with Publisher(settings) as publisher:
        assert (await over_kafka(publisher, SECONDS)(registration_in(1, 2)))["status"] == 200
    for offset in sent:
        letter = await dead_letter(settings, 1, offset)
        assert letter.reason.startswith("INVALID_COMMAND: the record has more than 100 headers")
        assert letter.value == b"{}"


async def test_many_batches_around_the_limit_do_not_delay_others_for_long(system: System) -> None:
    """One fetch has a hundred batches just below the limit (6 GB when decompressed), and a hundred above it."""
    settings, (command,) = system.settings, system.commands
    below, above = bomb("zstd", 1, 60 * MIB), bomb("zstd", 1, 70 * MIB)
    topic = settings.topic_prefix + "commands"
    await send_raw(settings.kafka_bootstrap, topic, 0, *[below, above] * 100)
    async with Publisher(settings) as publisher, httpx.AsyncClient(timeout=SECONDS) as client:
        send = over_kafka(publisher, SECONDS)
        for _ in range(20):
            assert (await send(registration_in(1, 2)))["status"] == 200
            alive = await client.get(f"{command.url}/livez")
            assert alive.elapsed.total_seconds() < 1
        assert (await over_kafka(publisher, 200)(registration_in(0, 2)))["status"] == 200


async def test_the_projector_and_a_new_shard_skip_a_bomb_on_the_log(system: System) -> None:
    settings = system.settings
    async with doors(settings, system.commands[0].url) as (door,), open_database(settings) as database:
        tenant = await new_tenant(door, database)
        for batch in BOMBS.values():
            for partition in range(2):
                await send_raw(settings.kafka_bootstrap, settings.topic_prefix + "audit_log", partition, batch)
            await send_and_project(door, database, tenant.rename(fresh_id()), SECONDS)
    voids = 2 * sum(batch.records for batch in BOMBS.values())
    assert await metric(system.projectors[0], "daybook_projector_voids_total") == voids
    system.commands[0].process.terminate()
    system.commands[0].stop()
    system.commands.clear()
    system.start("command").wait_ready(SECONDS)
    async with doors(settings, system.commands[0].url) as (door,), open_database(settings) as database:
        await send_and_project(door, database, tenant.rename(fresh_id()), SECONDS)
    await check_tables(settings)
