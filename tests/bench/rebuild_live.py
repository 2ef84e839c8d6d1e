"""Rebuilds the tables of a running system while commands are decided and a reader polls: prints at which rate they were
decided, and how long a read took. A reader who fails or sees a gap ends it, and so do tables that differ from the log
afterwards. `python tests/bench/rebuild_live.py [--entries N] [--rate COMMANDS_A_SECOND]`.
"""

import argparse
import asyncio
import sys
import time
from itertools import cycle
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.figures import Timings, say
from bench.long_log import Place, append_entries, create_orgs
from bench.systems import own_systems
from daybook_infra.runtime.postgres.connections import Connection
from daybook_infra.runtime.settings import Settings
from support.chain import Json
from support.driving import Way, fresh_id, open_database, over_kafka, until_projected
from support.processes import System
from support.publisher import Publisher
from support.rebuilding import run_rebuild

TICK_SECONDS = 0.02
MAX_OPEN = 2_000
"""Commands without an answer: with more, the rate is higher than the system can decide."""
DECIDED_SECONDS = 120.0
WARM_SECONDS = 5.0
DAMAGE = (
    "UPDATE orgs SET name = 'damaged' WHERE id = $1",
    "DELETE FROM org_members WHERE org_id = $1 AND role = 'viewer'",
    "UPDATE projects SET name = 'damaged' WHERE org_id = $1",
)
SEEN = "SELECT (SELECT count(*) FROM orgs), (SELECT count(*) FROM org_members WHERE role = 'owner')"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=20_000, help="in the log when it begins")
    parser.add_argument("--rate", type=int, default=500, help="commands a second to send")
    args = parser.parse_args()
    with own_systems() as systems:
        asyncio.run(run(systems.start(), args.entries, args.rate))


async def run(system: System, entries: int, rate: int) -> None:
    settings = system.settings
    async with Publisher(settings) as publisher, open_database(settings) as database:
        way = over_kafka(publisher, DECIDED_SECONDS)
        places = await create_orgs(way, database, settings.partitions)
        # No shard may run while entries are appended from outside.
        await asyncio.to_thread(system.commands.pop().stop)
        await append_entries(settings, database, places, entries)
        await asyncio.to_thread(system.start("command").wait_ready)
        for statement in DAMAGE:
            await database.execute(statement, places[0].tenant.org_id)
        load = Load(way, places[1:], rate)
        reader = Reader(len(places))
        async with asyncio.TaskGroup() as group:
            group.create_task(load.run())
            group.create_task(reader.run(settings))
            await asyncio.sleep(WARM_SECONDS)
            await rebuild(settings, load)
            load.is_over = reader.is_over = True
        await check(settings, database, load.answers)
        reads = reader.reads.seconds
        say(f"  reads: {len(reads):,}, none failed or saw a gap; slowest {max(reads):.2f} s")


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
    """Reads again and again what is there throughout."""

    def __init__(self, orgs: int) -> None:
        self._orgs = orgs
        self.reads = Timings()
        self.is_over = False

    async def run(self, settings: Settings) -> None:
        async with open_database(settings) as database:
            while not self.is_over:
                row = await self.reads.of(database.fetchrow(SEEN))
                assert row is not None
                assert tuple(row) == (self._orgs, self._orgs), row


async def rebuild(settings: Settings, load: Load) -> None:
    before, begun = len(load.answers), time.perf_counter()
    done = await run_rebuild(settings, "--yes")
    seconds = time.perf_counter() - begun
    assert done.code == 0, done
    decided = len(load.answers) - before
    say(f"rebuilt in {seconds:.1f} s: {done.stdout.splitlines()[-1]}")
    say(f"  commands decided meanwhile: {decided:,}, {decided / seconds:.0f} a second")


async def check(settings: Settings, database: Connection, answers: list[Json]) -> None:
    """All commands were accepted, and the tables are those of the log."""
    assert {answer["status"] for answer in answers} == {200}
    await until_projected(database, [answer["position"] for answer in answers], DECIDED_SECONDS)
    again = await run_rebuild(settings, "--check")
    assert (again.code, again.stdout.splitlines()[-1]) == (0, "the tables agree with the log"), again


if __name__ == "__main__":
    main()
