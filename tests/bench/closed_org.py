"""An org that is put into quarantine by a row that somebody took away, kept there while its commands come, and healed;
and orgs beside it, timed from publishing to the tables.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from bench.figures import Timings, say
from bench.long_log import Place, lengthen, settle_in
from daybook_infra.runtime.postgres.connections import Connection
from daybook_infra.runtime.settings import Settings
from support.driving import Way, eventually, fresh_id, over_kafka, until_projected
from support.healing import start_heal
from support.processes import System
from support.publisher import Publisher, Send
from support.workload import registration

CLOSED_SECONDS = 60.0
# An org's publishers: each waits for its answer, and then for a while.
KNOCKERS, PAUSE_SECONDS = 4, 0.05
TAKE_AWAY = "DELETE FROM org_members WHERE org_id = $1 AND user_id = $2"
QUARANTINED = "SELECT FROM daybook.quarantine WHERE org_id = $1 AND released_at IS NULL"


@dataclass(slots=True)
class Neighbours:
    """Two orgs, in the first partition and in the second."""

    way: Way
    database: Connection
    places: tuple[Place, Place]
    here: Timings = field(default_factory=Timings)
    there: Timings = field(default_factory=Timings)

    async def sample(self, number: int) -> None:
        for _ in range(number):
            for timings, place in zip((self.here, self.there), self.places, strict=True):
                await timings.of(self._renamed(place))

    async def _renamed(self, place: Place) -> None:
        answer = await self.way(place.send("RENAME_ORG", name=fresh_id()))
        assert answer["status"] == 200, answer
        await until_projected(self.database, [answer["position"]], CLOSED_SECONDS)


async def neighbours(publisher: Publisher, database: Connection, partitions: int) -> Neighbours:
    way = over_kafka(publisher)
    first, second, *_ = await settle_in(way, database, partitions)
    return Neighbours(way, database, (first, second))


@dataclass(slots=True)
class ClosedOrg:
    settings: Settings
    way: Way
    database: Connection
    place: Place
    member: str
    heals: Timings = field(default_factory=Timings)
    accepted: int = 0
    refused: int = 0

    async def close(self) -> None:
        """Its shard has the member in memory, its tables have not: what is decided cannot be applied."""
        await self.projected(self.place.send("RENAME_ORG", name=fresh_id()))
        await self.database.execute(TAKE_AWAY, self.place.org_id, self.member)
        role = "viewer" if len(self.heals.seconds) % 2 else "admin"
        await self.projected(self.place.send("UPDATE_MEMBER", user_id=self.member, role=role))
        await eventually(lambda: self.database.fetch(QUARANTINED, self.place.org_id), CLOSED_SECONDS)

    async def projected(self, send: Send) -> None:
        answer = await self.way(send)
        assert answer["status"] == 200, answer
        await until_projected(self.database, [answer["position"]], CLOSED_SECONDS)

    @asynccontextmanager
    async def knocking(self) -> AsyncIterator[None]:
        """Its commands keep coming."""
        knockers = [asyncio.create_task(self._knock()) for _ in range(KNOCKERS)]
        try:
            yield
        finally:
            for knocker in knockers:
                knocker.cancel()
            await asyncio.gather(*knockers, return_exceptions=True)

    async def _knock(self) -> None:
        while True:
            answer = await self.way(self.place.send("RENAME_ORG", name=fresh_id()))
            self.accepted += answer["status"] == 200
            self.refused += answer.get("code") == "ORG_QUARANTINED"
            await asyncio.sleep(PAUSE_SECONDS)

    @asynccontextmanager
    async def healing(self) -> AsyncIterator[asyncio.subprocess.Process]:
        """`daybook projector heal`, from its start to its end."""
        start = time.perf_counter()
        process = await start_heal(self.settings, self.place.org_id)
        ended = asyncio.create_task(process.communicate())
        yield process
        said, complained = await ended
        self.heals.seconds.append(time.perf_counter() - start)
        assert process.returncode == 0, complained
        assert b"is released" in said


async def closed_org(system: System, publisher: Publisher, database: Connection, entries: int) -> ClosedOrg:
    """In the first partition, with so many entries; not closed yet."""
    way, settings = over_kafka(publisher, CLOSED_SECONDS), system.settings
    place = (await settle_in(way, database, settings.partitions))[0]
    org = ClosedOrg(settings, way, database, place, fresh_id())
    await org.projected(registration(org.member, fresh_id()))
    await org.projected(place.send("ADD_MEMBER", user_id=org.member, role="viewer"))
    # Beside a shard nobody may write.
    await asyncio.to_thread(system.commands.pop().stop)
    await lengthen(settings, database, [place], entries)
    await asyncio.to_thread(system.start("command").wait_ready)
    say(f"the org has {entries} entries")
    return org
