"""The disk of Kafka or PostgreSQL is full. Services that need the server wait and report it. When there is space again,
the tables match the log. Only root may mount the small disk.
"""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest

from daybook_infra.stack.embedded import EmbeddedStack
from daybook_infra.stack.interface import Part, Servers, StackError
from support.chain import Json
from support.driving import Tenant, check_tables, eventually, fresh_id, new_tenant, open_database, post_batch
from support.processes import Service, System, Systems
from support.publisher import Door, Send, doors, item, send_until_decided
from support.reports import status, status_refuses, until_unready
from support.small_disk import SmallDisk, small_disk
from support.stack import Fresh, own_home, own_stack, stack_in
from support.workload import SERVICE, command

pytestmark = pytest.mark.timeout(300)
MEBIBYTES = 120
SECONDS = 60
# Enough renames to make the log and the tables need new disk pages.
RENAMES = 120
# More segments of write-ahead log than a new cluster has.
SEGMENTS = 8
CONNECTION_ERRORS = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError)


@dataclass(frozen=True, slots=True)
class Scene:
    disk: SmallDisk
    stack: EmbeddedStack
    system: System
    part: frozenset[Part]

    @property
    def command(self) -> Service:
        return self.system.commands[0]

    @property
    def projector(self) -> Service:
        return self.system.projectors[0]

    async def has_server_ended(self) -> bool:
        return self.stack.servers() == Servers()

    async def recover(self) -> None:
        """Asserts that the server does not start while the disk is full, and that everything recovers when it
        is not.
        """
        self.disk.fill()
        with pytest.raises(StackError, match="No space left on device"):
            await asyncio.to_thread(self.stack.start, self.part)
        self.disk.clear()
        await asyncio.to_thread(self.stack.start, self.part)
        await asyncio.to_thread(self.system.wait_ready, SECONDS)


@pytest.fixture
def scene(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Scene]:
    """One instance of each service. The server that the test's parameter names has its data on the small disk."""
    part = frozenset({Part(request.param)})
    with own_home() as home, small_disk(home, MEBIBYTES) as disk, own_stack(parts=frozenset(Part) - part) as other:
        stack = stack_in(home)
        stack.start(part)
        both = (stack.servers(), other.servers())
        kafka, database = (next(filter(None, each)) for each in zip(*map(_addresses, both), strict=True))
        systems = Systems(Fresh(Servers(kafka, database)), tmp_path)
        try:
            yield Scene(disk, stack, systems.start(partitions=2), part)
        finally:
            systems.stop()


def _addresses(servers: Servers) -> tuple[str, str]:
    return servers.kafka_bootstrap, servers.database_url


@pytest.mark.parametrize("scene", [Part.POSTGRES], indirect=True)
async def test_services_wait_while_the_disk_of_postgresql_is_full_and_no_org_is_quarantined(scene: Scene) -> None:
    async with doors(scene.system.settings, scene.command.url) as (door,):
        tenant = await create_tenant(scene, door)
        scene.disk.fill()
        answers = await post_batch(door, sends := renames(tenant), SERVICE)
        assert {each["status"] for each in answers} == {200}
        await until_unready("postgres", "PostgreSQL is in trouble: ", scene.projector)
        await status(scene.system.settings)
        needs_reservation = command_with_chosen_id(tenant)
        assert (await door.send(needs_reservation)).status_code == 202
        await until_unready("postgres", "PostgreSQL is in trouble: ", scene.command, scene.projector)
        await fill_wal(scene)
        await until_unready("postgres", "PostgreSQL is away: ", scene.command, scene.projector)
        assert (await door.outcome(sends[0])).status_code == 503
        late = tenant.rename("late")
        assert (await door.send(late, prefer="respond-async")).status_code == 202
        await scene.recover()
        await check_nothing_is_lost(scene, door, [*sends, needs_reservation, late], answers)


@pytest.mark.parametrize("scene", [Part.KAFKA], indirect=True)
async def test_commands_are_refused_while_the_disk_of_kafka_is_full_and_no_accepted_one_is_lost(scene: Scene) -> None:
    async with doors(scene.system.settings, scene.command.url) as (door,):
        tenant = await create_tenant(scene, door)
        scene.disk.fill()
        sends, answers = renames(tenant), list[Json]()
        for send in sends:
            answers.append(item(await door.send(send)))
            if answers[-1]["status"] == 503:
                break
        assert answers[-1]["code"] == "UNAVAILABLE"
        await eventually(scene.has_server_ended, SECONDS)
        await until_unready("kafka", "", scene.command, scene.projector)
        assert (await door.outcome(sends[0])).status_code in {200, 404}
        assert (await status_refuses(scene.system.settings)).startswith("Error: Kafka ")
        await scene.recover()
        await check_nothing_is_lost(scene, door, sends, [answer for answer in answers if answer["status"] == 200])


async def create_tenant(scene: Scene, door: Door) -> Tenant:
    async with open_database(scene.system.settings) as database:
        return await new_tenant(door, database)


def renames(tenant: Tenant) -> list[Send]:
    return [tenant.rename(f"{'x' * 180} {number}") for number in range(RENAMES)]


def command_with_chosen_id(tenant: Tenant) -> Send:
    """A command that cannot be decided before PostgreSQL has stored the reservation of its id."""
    return Send(
        SERVICE, command("CREATE_PROJECT", tenant.org_id, tenant.owner, fresh_id(), project_id=fresh_id(), name="P")
    )


async def fill_wal(scene: Scene) -> None:
    """Makes PostgreSQL write more write-ahead log than the disk can take, until the server ends."""
    with suppress(*CONNECTION_ERRORS):
        async with open_database(scene.system.settings) as connection:
            for number in range(SEGMENTS):
                await connection.execute(f"CREATE TABLE filler_{number} (x int); SELECT pg_switch_wal()")
    await eventually(scene.has_server_ended, SECONDS)


async def check_nothing_is_lost(scene: Scene, door: Door, sends: Sequence[Send], answers: Sequence[Json]) -> None:
    """Asserts that answered commands get the same answer again, that all others are decided, and that the tables equal
    the fold of the log.
    """
    final = [await send_until_decided(send, door) for send in sends]
    assert {each["status"] for each in final} == {200}
    assert [each for each in answers if each not in final] == []
    await check_tables(scene.system.settings)
    async with open_database(scene.system.settings) as database:
        assert await database.fetch("SELECT org_id, reason FROM daybook.quarantine") == []
    assert [service.process.poll() for service in scene.system.services] == [None, None]
