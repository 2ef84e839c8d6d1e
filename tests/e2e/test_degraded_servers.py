"""Kafka or PostgreSQL is down: what each endpoint answers during the outage, and that nothing is lost."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from daybook_infra.stack.embedded import EmbeddedStack
from daybook_infra.stack.interface import Part
from support.driving import Tenant, check_tables, eventually, new_tenant, open_database
from support.processes import System, Systems
from support.publisher import Door, Send, are_projected, doors, item, send_until_decided
from support.replay import by_command, entries_of, read_log
from support.reports import ask, code_of, status_refuses, until_ready, until_unready
from support.servers import kill, start
from support.stack import Fresh, own_stack

pytestmark = pytest.mark.timeout(240)
IN_FLIGHT = 60


@dataclass(frozen=True, slots=True)
class Site:
    """A system with its own servers. `before` is a command that was projected before the outage."""

    stack: EmbeddedStack
    system: System
    door: Door
    tenant: Tenant
    before: Send

    def renames(self, count: int) -> list[Send]:
        return [self.tenant.rename(f"Name {number}") for number in range(count)]


@pytest.fixture(scope="module")
def stack() -> Iterator[EmbeddedStack]:
    with own_stack() as started:
        yield started


@pytest.fixture
def systems(stack: EmbeddedStack, tmp_path: Path) -> Iterator[Systems]:
    stack.start()  # an earlier test that failed may have left servers down
    systems = Systems(Fresh(stack.servers()), tmp_path)
    yield systems
    systems.stop()


@asynccontextmanager
async def open_site(stack: EmbeddedStack, systems: Systems) -> AsyncIterator[Site]:
    system = systems.start(partitions=2, wait_seconds=2)
    async with doors(system.settings, system.commands[0].url) as (door,):
        async with open_database(system.settings) as database:
            tenant = await new_tenant(door, database)
        before = tenant.rename("Before")
        assert (await send_until_decided(before, door))["status"] == 200
        await eventually(lambda: are_projected(door, [before]))
        yield Site(stack, system, door, tenant, before)


async def check_each_is_decided_once(site: Site, sends: Sequence[Send]) -> None:
    """Asserts that each command is decided once, although some were sent twice, and that the tables equal the log."""
    answers = [await send_until_decided(send, site.door) for send in sends]
    assert {answer["status"] for answer in answers} == {200}
    entries_by_command = by_command(entries_of(await read_log(site.system.settings)))
    assert sum(entries[0]["action"] == "RENAME_ORG" for entries in entries_by_command.values()) == len(sends) + 1
    await check_tables(site.system.settings)


async def test_without_kafka_commands_are_refused_and_decided_later(stack: EmbeddedStack, systems: Systems) -> None:
    async with open_site(stack, systems) as site:
        in_flight = site.renames(IN_FLIGHT)
        answers = [asyncio.create_task(site.door.send(send)) for send in in_flight]
        await asyncio.wait(answers, return_when=asyncio.FIRST_COMPLETED)
        kill(stack, Part.KAFKA)
        assert {code_of(item(answer)) for answer in await asyncio.gather(*answers)} <= {"200", "202", "503 UNAVAILABLE"}
        await until_unready("kafka", "", *site.system.services)
        new = site.renames(4)
        responses = await ask(site.door, new[0], new[1:3], site.before)
        assert (responses.one, responses.batch) == ("503 UNAVAILABLE", ("503 UNAVAILABLE",) * 2)
        assert responses.outcome == "200"
        refused = await site.door.send(new[3])
        assert int(refused.headers["retry-after"]) > 0
        assert refused.json()["command_id"] == new[3].command["id"]
        assert "nothing was done" in refused.json()["detail"]
        assert "Kafka" in await status_refuses(site.system.settings)
        await start(stack, Part.KAFKA)
        await until_ready(site.system)
        await check_each_is_decided_once(site, [*in_flight, *new])


async def test_without_postgresql_commands_wait_and_are_decided_later(stack: EmbeddedStack, systems: Systems) -> None:
    async with open_site(stack, systems) as site:
        kill(stack, Part.POSTGRES)
        await until_unready("postgres", "", *site.system.services)
        new = site.renames(4)
        responses = await ask(site.door, new[0], new[1:3], site.before)
        assert (responses.one, responses.batch, responses.outcome) == ("202", ("202",) * 2, "503 UNAVAILABLE")
        assert code_of(item(await site.door.send(new[3], Prefer="respond-async"))) == "202"
        assert "PostgreSQL" in await status_refuses(site.system.settings)
        await start(stack, Part.POSTGRES)
        await until_ready(site.system)
        await eventually(lambda: are_projected(site.door, new), 60)
        await check_each_is_decided_once(site, new)
