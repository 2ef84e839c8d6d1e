"""A command with a large history behind it: `python tests/bench/large_history.py [--orgs N] [--letters N]`; it takes
about an hour with a million orgs and five million entries, and is part of `make bench-large`.

Two systems on the same servers: one with many orgs and entries, one with 1,000 orgs. One client sends commands on
random orgs to each, in turn, over HTTP. Neither has the orgs in memory (DAYBOOK_CACHE_MIB is very small), so each
command reads its org from PostgreSQL. The value is the p50; the goal is at most 1.2 times the small system's.
"""

import argparse
import asyncio
import sys
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.figures import say
from bench.measuring import http_load
from bench.measuring.comparison import Done, Figure, Side, compare
from bench.measuring.http_load import Plan
from bench.measuring.running import Bench, bench_system
from bench.measuring.sealed_log import appending, registrations, small_orgs
from support.driving import fresh_id, open_database
from support.logbook import org, user
from support.workload import by_user

FIGURE = Figure(
    "large_history", "a command with 1,000,000 orgs behind it, against 1,000", 1.2, at_least=False, unit="s"
)
USERS, FEW_ORGS, COMMANDS = 1_000, 1_000, 1_000
SMALL_CACHE = 0.001


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orgs", type=int, default=1_000_000)
    parser.add_argument("--letters", type=int, default=2, help="dead letters of each org; it has three other entries")
    args = parser.parse_args()
    with bench_system(cache_mib=SMALL_CACHE) as large:
        small = large.another(cache_mib=SMALL_CACHE)
        asyncio.run(run(large, small, args.orgs, args.letters))
        small.verify()


async def run(large: Bench, small: Bench, orgs: int, letters: int) -> None:
    for bench, count in ((small, FEW_ORGS), (large, orgs)):
        await fill(bench, count, letters)

    def side(name: str, bench: Bench, count: int) -> Side:
        random = Random(1)

        async def work() -> Done:
            numbers = [random.randint(1, count) for _ in range(COMMANDS)]
            sends = [by_user("RENAME_ORG", org(at), user(1 + at % USERS), fresh_id(), name=f"{at}") for at in numbers]
            return await http_load.run(Plan(bench.door, list(map(bench.request, sends))))

        return Side(name, work, bench.processes, value="p50")

    sides = side(f"{orgs} orgs", large, orgs), side(f"{FEW_ORGS} orgs", small, FEW_ORGS)
    for each in sides:
        await each.work()
    await compare(FIGURE, *sides)


async def fill(bench: Bench, orgs: int, letters: int) -> None:
    """Fills the system while no shard runs. VACUUM does at once what autovacuum would do later."""
    await asyncio.to_thread(bench.system.commands.pop().stop)
    async with appending(bench.settings) as log:
        await log.append(registrations(USERS))
        entries = await log.append(small_orgs(orgs, USERS, letters))
    await bench.until_projected(seconds=7200)
    async with open_database(bench.settings) as database:
        await database.execute("VACUUM (ANALYZE)", timeout=3600)
    say(f"{orgs} orgs with {entries} entries are projected")
    bench.system.start("command")
    await asyncio.to_thread(bench.system.wait_ready, 60)


if __name__ == "__main__":
    main()
