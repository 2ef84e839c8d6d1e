"""Kafka or PostgreSQL is away: what every endpoint says meanwhile; then all goes on by itself, with nothing lost."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from daybook_infra.stack.embedded import EmbeddedStack
from daybook_infra.stack.interface import Part
from support.driving import Tenant, check_tables, connected, eventually, new_tenant
from support.processes import System, Systems
from support.publisher import Door, Send, are_seen, decided, doors, item
from support.replay import by_command, entries_of, read_log
from support.said import ask, status_refuses, until_ready, until_unready, word
from support.servers import kill, start
from support.stack import Fresh, own_stack

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]
UNDER_WAY = 60


@dataclass(frozen=True, slots=True)
class Site:
    """A system that runs on servers of its own. `before` is a command that is in the tables."""

    stack: EmbeddedStack
    system: System
    door: Door
    tenant: Tenant
    before: Send

    def renames(self, count: int) -> list[Send]:
        return [self.tenant.rename(f"Name {at}") for at in range(count)]


@pytest.fixture(scope="module")
def stack() -> Iterator[EmbeddedStack]:
    with own_stack() as started:
        yield started


@pytest.fixture
def systems(stack: EmbeddedStack, tmp_path: Path) -> Iterator[Systems]:
    # Whatever a failed test before this one has left dead.
    stack.start()
    made = Systems(Fresh(stack.servers()), tmp_path)
    yield made
    made.stop()


@asynccontextmanager
async def site(stack: EmbeddedStack, systems: Systems) -> AsyncIterator[Site]:
    system = systems.start(partitions=2, wait_seconds=2)
    async with doors(system.settings, system.commands[0].url) as (door,):
        async with connected(system.settings) as database:
            tenant = await new_tenant(door, database)
        before = tenant.rename("Before")
        assert (await decided(before, door))["status"] == 200
        await eventually(lambda: are_seen(door, [before]))
        yield Site(stack, system, door, tenant, before)


async def check_each_is_there_once(at: Site, sends: Sequence[Send]) -> None:
    """Decided under its id however often it was sent, and in the tables."""
    answers = [await decided(send, at.door) for send in sends]
    assert {answer["status"] for answer in answers} == {200}
    told = by_command(entries_of(await read_log(at.system.settings)))
    assert sum(entries[0]["action"] == "RENAME_ORG" for entries in told.values()) == len(sends) + 1
    await check_tables(at.system.settings)


async def test_without_kafka_nothing_is_taken_and_afterwards_everything_goes_on(
    stack: EmbeddedStack, systems: Systems
) -> None:
    async with site(stack, systems) as at:
        under_way = at.renames(UNDER_WAY)
        answers = [asyncio.create_task(at.door.send(send)) for send in under_way]
        await asyncio.wait(answers, return_when=asyncio.FIRST_COMPLETED)
        kill(stack, Part.KAFKA)
        assert {word(item(answer)) for answer in await asyncio.gather(*answers)} <= {"200", "202", "503 UNAVAILABLE"}
        await until_unready("kafka", "", *at.system.services)
        new = at.renames(4)
        told = await ask(at.door, new[0], new[1:3], at.before)
        assert (told.one, told.batch) == ("503 UNAVAILABLE", ("503 UNAVAILABLE",) * 2)
        assert told.outcome == "200"
        refused = await at.door.send(new[3])
        assert int(refused.headers["retry-after"]) > 0
        assert refused.json()["command_id"] == new[3].command["id"]
        assert "nothing was done" in refused.json()["detail"]
        assert "Kafka" in await status_refuses(at.system.settings)
        await start(stack, Part.KAFKA)
        await until_ready(at.system)
        await check_each_is_there_once(at, [*under_way, *new])


async def test_without_postgresql_commands_are_taken_and_decided_when_it_is_back(
    stack: EmbeddedStack, systems: Systems
) -> None:
    async with site(stack, systems) as at:
        kill(stack, Part.POSTGRES)
        await until_unready("postgres", "", *at.system.services)
        new = at.renames(4)
        told = await ask(at.door, new[0], new[1:3], at.before)
        assert (told.one, told.batch, told.outcome) == ("202", ("202",) * 2, "503 UNAVAILABLE")
        assert word(item(await at.door.send(new[3], Prefer="respond-async"))) == "202"
        assert "PostgreSQL" in await status_refuses(at.system.settings)
        await start(stack, Part.POSTGRES)
        await until_ready(at.system)
        await eventually(lambda: are_seen(at.door, new), 60)
        await check_each_is_there_once(at, new)
