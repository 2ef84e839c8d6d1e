"""An org that is quarantined because a row was deleted, is sent commands, and is healed. Other orgs' commands are timed
meanwhile, from publishing until they are projected.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from bench.figures import Timings, say
from bench.long_log import Place, append_entries, create_orgs
from daybook_infra.runtime.postgres.connections import Connection
from daybook_infra.runtime.settings import Settings
from support.driving import Way, eventually, fresh_id, over_kafka, until_projected
from support.healing import start_heal
from support.processes import System
from support.publisher import Publisher, Send
from support.workload import registration

DEADLINE_SECONDS = 60.0
# Publishers of the quarantined org. Each waits for its answer, and then pauses.
PUBLISHERS, PAUSE_SECONDS = 4, 0.05
DELETE_MEMBER = "DELETE FROM org_members WHERE org_id = $1 AND user_id = $2"
QUARANTINED = "SELECT FROM daybook.quarantine WHERE org_id = $1 AND released_at IS NULL"


@dataclass(slots=True)
class Neighbours:
    """Two other orgs, in the first partition and in the second."""

    way: Way
    database: Connection
    places: tuple[Place, Place]
    same_partition: Timings = field(default_factory=Timings)
    other_partition: Timings = field(default_factory=Timings)

    async def sample(self, number: int) -> None:
        for _ in range(number):
            for timings, place in zip((self.same_partition, self.other_partition), self.places, strict=True):
                await timings.of(self._rename(place))

    async def _rename(self, place: Place) -> None:
        answer = await self.way(place.send("RENAME_ORG", name=fresh_id()))
        assert answer["status"] == 200, answer
        await until_projected(self.database, [answer["position"]], DEADLINE_SECONDS)


async def new_neighbours(publisher: Publisher, database: Connection, partitions: int) -> Neighbours:
    way = over_kafka(publisher)
    first, second, *_ = await create_orgs(way, database, partitions)
    return Neighbours(way, database, (first, second))


@dataclass(slots=True)
class QuarantinedOrg:
    settings: Settings
    way: Way
    database: Connection
    place: Place
    member: str
    heals: Timings = field(default_factory=Timings)
    accepted: int = 0
    refused: int = 0

    async def quarantine(self) -> None:
        """Deletes a member from the tables, but not from the shard's memory, so that the next entry of this member
        cannot be projected.
        """
        await self.send_and_wait(self.place.send("RENAME_ORG", name=fresh_id()))
        await self.database.execute(DELETE_MEMBER, self.place.tenant.org_id, self.member)
        role = "viewer" if len(self.heals.seconds) % 2 else "admin"
        await self.send_and_wait(self.place.send("UPDATE_MEMBER", user_id=self.member, role=role))
        await eventually(lambda: self.database.fetch(QUARANTINED, self.place.tenant.org_id), DEADLINE_SECONDS)

    async def send_and_wait(self, send: Send) -> None:
        answer = await self.way(send)
        assert answer["status"] == 200, answer
        await until_projected(self.database, [answer["position"]], DEADLINE_SECONDS)

    @asynccontextmanager
    async def under_commands(self) -> AsyncIterator[None]:
        """Keeps sending commands of the org while the block runs."""
        tasks = [asyncio.create_task(self._publish()) for _ in range(PUBLISHERS)]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _publish(self) -> None:
        while True:
            answer = await self.way(self.place.send("RENAME_ORG", name=fresh_id()))
            self.accepted += answer["status"] == 200
            self.refused += answer.get("code") == "ORG_QUARANTINED"
            await asyncio.sleep(PAUSE_SECONDS)

    @asynccontextmanager
    async def healing(self) -> AsyncIterator[asyncio.subprocess.Process]:
        """Runs and times `daybook projector heal`."""
        start = time.perf_counter()
        process = await start_heal(self.settings, self.place.tenant.org_id)
        ended = asyncio.create_task(process.communicate())
        yield process
        output, errors = await ended
        self.heals.seconds.append(time.perf_counter() - start)
        assert process.returncode == 0, errors
        assert b"is released" in output


async def new_org(system: System, publisher: Publisher, database: Connection, entries: int) -> QuarantinedOrg:
    """Creates an org in the first partition with this many entries. It is not in quarantine yet."""
    way, settings = over_kafka(publisher, DEADLINE_SECONDS), system.settings
    place = (await create_orgs(way, database, settings.partitions))[0]
    org = QuarantinedOrg(settings, way, database, place, fresh_id())
    await org.send_and_wait(registration(org.member, fresh_id()))
    await org.send_and_wait(place.send("ADD_MEMBER", user_id=org.member, role="viewer"))
    # No shard may run while entries are appended from outside.
    await asyncio.to_thread(system.commands.pop().stop)
    await append_entries(settings, database, [place], entries)
    await asyncio.to_thread(system.start("command").wait_ready)
    say(f"the org has {entries} entries")
    return org
