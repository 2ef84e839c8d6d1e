"""Rebuilds damaged tables of a running system while commands are decided and a reader polls. A rebuild is killed at
each stage, and then repeated. Prints the rate at which commands were decided, how long the slowest read took, and how
many reads failed or saw a gap. It fails if there was such a read or a rejected command, if a killed rebuild left a
change, or if the log, `audit_log` and the tables differ at the end.
`python tests/bench/rebuild_live.py [--entries N] [--rate COMMANDS_A_SECOND] [--no-kills]`.
"""

import argparse
import asyncio
import signal
import sys
import time
from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from typing import get_args

sys.path.insert(0, str(Path(__file__).parents[1]))

import asyncpg

from bench.figures import Timings, say
from bench.long_log import Place, append_entries, create_orgs
from bench.systems import own_systems
from daybook_infra.runtime.failpoints import Point
from daybook_infra.runtime.postgres.connections import Connection
from daybook_infra.runtime.settings import Settings
from support.chain import Json
from support.driving import Way, fresh_id, open_database, over_kafka, until_projected
from support.processes import System
from support.publisher import Publisher
from support.rebuilding import start_rebuild
from support.shell import Completed, finish, start

TICK_SECONDS = 0.02
MAX_OPEN = 2_000
"""The limit of unanswered commands. If it is reached, the rate is higher than the system can decide."""
DECIDED_SECONDS = 120.0
REBUILD_SECONDS = 600.0
WARM_SECONDS = 5.0
STAGES: tuple[Point, ...] = tuple(point for point in get_args(Point) if point.startswith("rebuild-"))
DAMAGE = (
    "UPDATE orgs SET name = 'damaged' WHERE id = $1",
    "DELETE FROM org_members WHERE org_id = $1 AND role = 'viewer'",
    "UPDATE projects SET name = 'damaged' WHERE org_id = $1",
)
CORRECTED = "3 rows corrected"
NAME = "SELECT name FROM orgs WHERE id = $1"
SEEN = "SELECT (SELECT count(*) FROM orgs), (SELECT count(*) FROM org_members WHERE role = 'owner')"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=20_000, help="entries in the log at the start")
    parser.add_argument("--rate", type=int, default=500, help="commands a second to send")
    parser.add_argument("--no-kills", action="store_true", help="only one rebuild, which is not killed")
    args = parser.parse_args()
    with own_systems() as systems:
        asyncio.run(run(systems.start(), args.entries, args.rate, () if args.no_kills else STAGES))


async def run(system: System, entries: int, rate: int, stages: Sequence[Point]) -> None:
    settings = system.settings
    async with Publisher(settings) as publisher, open_database(settings) as database:
        way = over_kafka(publisher, DECIDED_SECONDS)
        places = await create_orgs(way, database, settings.partitions)
        # No shard may run while entries are appended from outside.
        await asyncio.to_thread(system.commands.pop().stop)
        await append_entries(settings, database, places, entries)
        await asyncio.to_thread(system.start("command").wait_ready)
        load = Load(way, places[1:], rate)
        reader = Reader(len(places))
        async with asyncio.TaskGroup() as group:
            group.create_task(load.run())
            group.create_task(reader.run(settings))
            await asyncio.sleep(WARM_SECONDS)
            rebuilds = Rebuilds(settings, database, places[0].tenant.org_id, load)
            for stage in stages:
                await rebuilds.damage()
                await rebuilds.kill(stage)
                await rebuilds.run()
            if not stages:
                await rebuilds.damage()
                await rebuilds.run()
            load.is_over = reader.is_over = True
        await check(settings, database, load.answers)
        reader.report()


class Rebuilds:
    """Damages the rows of an org that gets no commands, and rebuilds the tables."""

    def __init__(self, settings: Settings, database: Connection, org_id: str, load: "Load") -> None:
        self._settings = settings
        self._database = database
        self._org_id = org_id
        self._load = load

    async def damage(self) -> None:
        for statement in DAMAGE:
            await self._database.execute(statement, self._org_id)

    async def kill(self, stage: Point) -> None:
        """The rebuild kills itself at this stage, and must leave the damage as it is."""
        done = await self._rebuild(f"killed at {stage}", DAYBOOK_FAILPOINT=stage)
        assert done.code == -signal.SIGKILL, done
        assert await self._database.fetchval(NAME, self._org_id) == "damaged"

    async def run(self) -> None:
        done = await self._rebuild("rebuilt")
        assert done.code == 0, done
        assert done.stdout.splitlines()[-1] == CORRECTED, done
        assert await self._database.fetchval(NAME, self._org_id) != "damaged"

    async def _rebuild(self, name: str, **env: str) -> Completed:
        before, begun = len(self._load.answers), time.perf_counter()
        process = await start_rebuild(self._settings, "--yes", **env)
        done = await finish(process, seconds=REBUILD_SECONDS)
        seconds = time.perf_counter() - begun
        decided = len(self._load.answers) - before
        say(f"{name:<28} after {seconds:5.1f} s; {decided / seconds:4.0f} commands a second were decided meanwhile")
        return done


class Load:
    """Sends commands at a rate, to the orgs in turn; half of them add rows, and half change one."""

    def __init__(self, way: Way, places: list[Place], rate: int) -> None:
        self._way = way
        self._places = cycle(places)
        self._rate = rate
        self.answers: list[Json] = []
        self.is_over = False

    async def run(self) -> None:
        begun, sent = time.perf_counter(), 0
        async with asyncio.TaskGroup() as group:
            while not self.is_over:
                due = int((time.perf_counter() - begun) * self._rate)
                for number in range(sent, min(due, len(self.answers) + MAX_OPEN)):
                    group.create_task(self._send(number))
                    sent = number + 1
                await asyncio.sleep(TICK_SECONDS)

    async def _send(self, number: int) -> None:
        place = next(self._places)
        if number % 2:
            send = place.send("RENAME_ORG", name=fresh_id())
        else:
            connection_id = place.tenant.connections[0]
            send = place.send("RECORD_DLQ_EVENT", connection_id=connection_id, payload={"event": "x"})
        self.answers.append(await self._way(send))


class Reader:
    """Reads, again and again, rows that exist throughout."""

    def __init__(self, orgs: int) -> None:
        self._orgs = orgs
        self._reads = Timings()
        self._failures: list[str] = []
        self._gaps: list[str] = []
        self.is_over = False

    async def run(self, settings: Settings) -> None:
        while not self.is_over:
            try:
                async with open_database(settings) as database:
                    await self._poll(database)
            except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
                self._failures.append(repr(error))

    async def _poll(self, database: Connection) -> None:
        while not self.is_over:
            row = await self._reads.of(database.fetchrow(SEEN))
            if row is None or tuple(row) != (self._orgs, self._orgs):
                self._gaps.append(repr(row))

    def report(self) -> None:
        reads, failures, gaps = self._reads.seconds, self._failures, self._gaps
        say(f"reads: {len(reads):,}, failed {len(failures)}, with a gap {len(gaps)}; slowest {max(reads):.2f} s")
        assert not failures, failures[:3]
        assert not gaps, gaps[:3]


async def check(settings: Settings, database: Connection, answers: list[Json]) -> None:
    """All commands were accepted, and the log, `audit_log` and the tables agree."""
    assert {answer["status"] for answer in answers} == {200}
    await until_projected(database, [answer["position"] for answer in answers], DECIDED_SECONDS)
    verified = await finish(await start(settings, "audit", "verify"), seconds=REBUILD_SECONDS)
    assert verified.code == 0, verified
    say(f"daybook audit verify: {verified.stdout.splitlines()[-1]}, {len(answers):,} commands were accepted")


if __name__ == "__main__":
    main()
