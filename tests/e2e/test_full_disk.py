"""A server's disk is full: the service that needs it waits and says so, the other goes on, and once there is room again
everything is as the log has it. Only root may mount the small disk.
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
from support.driving import Tenant, check_tables, connected, eventually, fresh_id, new_tenant, post_batch
from support.processes import Service, System, Systems
from support.publisher import Door, Send, decided, doors, item
from support.said import status, status_refuses, until_unready
from support.small_disk import SmallDisk, small_disk
from support.stack import Fresh, own_home, own_stack, stack_in
from support.workload import SERVICE, command

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]
MEBIBYTES = 120
SECONDS = 60
# Enough for the log, and for the tables, to need pages that they do not have yet.
RENAMES = 120
# Of write-ahead log: more than a new cluster has.
SEGMENTS = 8
LOST = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError)


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

    async def server_is_gone(self) -> bool:
        return self.stack.servers() == Servers()

    async def comes_back(self) -> None:
        """Not before somebody has made room, and then by itself."""
        self.disk.fill()
        with pytest.raises(StackError, match="No space left on device"):
            await asyncio.to_thread(self.stack.start, self.part)
        self.disk.clear()
        await asyncio.to_thread(self.stack.start, self.part)
        await asyncio.to_thread(self.system.wait_ready, SECONDS)


@pytest.fixture
def scene(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Scene]:
    """One instance of each service; the data of the server that the test names lie on the small disk."""
    part = frozenset({Part(request.param)})
    with own_home() as home, small_disk(home, MEBIBYTES) as disk, own_stack(parts=frozenset(Part) - part) as other:
        stack = stack_in(home)
        stack.start(part)
        found = (stack.servers(), other.servers())
        kafka, database = (next(filter(None, each)) for each in zip(*map(_addresses, found), strict=True))
        systems = Systems(Fresh(Servers(kafka, database)), tmp_path)
        try:
            yield Scene(disk, stack, systems.start(partitions=2), part)
        finally:
            systems.stop()


def _addresses(servers: Servers) -> tuple[str, str]:
    return servers.kafka_bootstrap, servers.database_url


@pytest.mark.parametrize("scene", [Part.POSTGRES], indirect=True)
async def test_a_full_disk_of_postgresql_is_waited_for_and_quarantines_nobody(scene: Scene) -> None:
    async with doors(scene.system.settings, scene.command.url) as (door,):
        tenant = await founded(scene, door)
        scene.disk.fill()
        answers = await post_batch(door, sends := renames(tenant), SERVICE)
        assert {each["status"] for each in answers} == {200}
        await until_unready("postgres", "PostgreSQL is in trouble: ", scene.projector)
        await status(scene.system.settings)
        chosen = choosing(tenant)
        assert (await door.send(chosen)).status_code == 202
        await until_unready("postgres", "PostgreSQL is in trouble: ", scene.command, scene.projector)
        await until_wal_is_full(scene)
        await until_unready("postgres", "PostgreSQL is away: ", scene.command, scene.projector)
        assert (await door.outcome(sends[0])).status_code == 503
        late = tenant.rename("late")
        assert (await door.send(late, prefer="respond-async")).status_code == 202
        await scene.comes_back()
        await nothing_is_lost(scene, door, [*sends, chosen, late], answers)


@pytest.mark.parametrize("scene", [Part.KAFKA], indirect=True)
async def test_a_full_disk_of_kafka_refuses_commands_and_loses_none_that_was_taken(scene: Scene) -> None:
    async with doors(scene.system.settings, scene.command.url) as (door,):
        tenant = await founded(scene, door)
        scene.disk.fill()
        sends, answers = renames(tenant), list[Json]()
        for send in sends:
            answers.append(item(await door.send(send)))
            if answers[-1]["status"] == 503:
                break
        assert answers[-1]["code"] == "UNAVAILABLE"
        await eventually(scene.server_is_gone, SECONDS)
        await until_unready("kafka", "", scene.command, scene.projector)
        assert (await door.outcome(sends[0])).status_code in {200, 404}
        assert (await status_refuses(scene.system.settings)).startswith("Error: Kafka ")
        await scene.comes_back()
        await nothing_is_lost(scene, door, sends, [one for one in answers if one["status"] == 200])


async def founded(scene: Scene, door: Door) -> Tenant:
    async with connected(scene.system.settings) as database:
        return await new_tenant(door, database)


def renames(tenant: Tenant) -> list[Send]:
    return [tenant.rename(f"{'x' * 180} {number}") for number in range(RENAMES)]


def choosing(tenant: Tenant) -> Send:
    """A command that cannot be decided before PostgreSQL has written something: that its id is taken."""
    return Send(
        SERVICE, command("CREATE_PROJECT", tenant.org_id, tenant.owner, fresh_id(), project_id=fresh_id(), name="P")
    )


async def until_wal_is_full(scene: Scene) -> None:
    """PostgreSQL cannot go on without its write-ahead log, nor recover: it ends by itself."""
    with suppress(*LOST):
        async with connected(scene.system.settings) as connection:
            for number in range(SEGMENTS):
                await connection.execute(f"CREATE TABLE filler_{number} (x int); SELECT pg_switch_wal()")
    await eventually(scene.server_is_gone, SECONDS)


async def nothing_is_lost(scene: Scene, door: Door, sends: Sequence[Send], answers: Sequence[Json]) -> None:
    """Whatever was answered is answered so again, what was not is decided, and the tables are the fold of the log."""
    final = [await decided(send, door) for send in sends]
    assert {each["status"] for each in final} == {200}
    assert [each for each in answers if each not in final] == []
    await check_tables(scene.system.settings)
    async with connected(scene.system.settings) as database:
        assert await database.fetch("SELECT org_id, reason FROM daybook.quarantine") == []
    assert [service.process.poll() for service in scene.system.services] == [None, None]
