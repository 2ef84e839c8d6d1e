"""Memory of cached orgs: `python tests/bench/cached_orgs.py [--orgs N] [--mib N]`; 100,000 cached orgs in
`make bench-large`.

Orgs of 20 members and 5 connections are put into the log and projected. Then a new instance decides many commands on a
few of them, so that its queues and buffers have grown before anything counts. Then it decides one command on each of
the other orgs: first on as many as DAYBOOK_CACHE_MIB can certainly hold, then on the rest. The commands come in
portions. A portion is sent when the one before is projected, because orgs with unprojected entries count towards
DAYBOOK_MAX_TAIL_MIB instead. Two figures:

- KiB for each cached org: what the resident memory grows by in the first part;
- the growth of the resident memory after all orgs, as a multiple of DAYBOOK_CACHE_MIB (goal: at most 1.2).
"""

import argparse
import asyncio
import sys
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.figures import rss, say
from bench.measuring import kafka_load
from bench.measuring.comparison import Done, Figure, Round, Side, describe, measure, record
from bench.measuring.kafka_load import Mode, command_record
from bench.measuring.running import Bench, bench_system
from bench.measuring.sealed_log import appending, registrations, whole_orgs
from support.driving import fresh_id
from support.logbook import org, user
from support.workload import by_user

USERS = 1_000
PER_ORG = Figure(
    "cached_orgs", "resident KiB for each cached org of 20 members", 30, at_least=False, unit="KiB", timed=False
)
BOUND = Figure(
    "cached_orgs_bound", "growth of memory, in DAYBOOK_CACHE_MIB", 1.2, at_least=False, unit="MiB", timed=False
)
WARM, WARMING = 200, 30
"""Orgs to warm up with, and commands on each of them."""
PORTION = 500
"""Orgs whose commands are sent at once."""
MAX_BYTES_PER_ORG = 10_000
"""More bytes than an org of this shape takes in the cache."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orgs", type=int, default=4_500, help="number of orgs, more than fit in the cache")
    parser.add_argument("--mib", type=float, default=24, help="DAYBOOK_CACHE_MIB")
    args = parser.parse_args()
    with bench_system(cache_mib=args.mib) as bench:
        asyncio.run(run(bench, args.orgs, args.mib))


async def run(bench: Bench, orgs: int, mib: float) -> None:
    cached = int(mib * 2**20 / MAX_BYTES_PER_ORG)
    assert WARM < cached < orgs, f"the cache holds at least {cached} orgs: this must be between {WARM} and {orgs}"
    await asyncio.to_thread(bench.system.commands.pop().stop)
    async with appending(bench.settings) as log:
        await log.append(registrations(USERS))
        entries = await log.append(whole_orgs(orgs, USERS))
    await bench.until_projected()
    say(f"{orgs} orgs with {entries} entries are projected")
    bench.system.start("command")
    await asyncio.to_thread(bench.system.wait_ready, 60)
    named = bench.processes

    async def touched(first: int, last: int, times: int = 1) -> Round:
        """The value is the resident memory afterwards, in MiB."""

        async def work() -> Done:
            done = await touch(bench, first, last, times)
            return replace(done, values={"resident": rss(named["command"]) / 2**20})

        side = Side("command", work, named, value="resident")
        done = await measure(side)
        say(f"  orgs {first} to {last}: {describe(BOUND, side, done)}")
        return done

    warm, first, full = [await touched(*each) for each in ((0, WARM, WARMING), (WARM, cached), (cached, orgs))]
    per_org = (first.value - warm.value) * 1024 / (cached - WARM)
    record(PER_ORG, [per_org], {"command": [replace(first, value=per_org)]})
    growth = replace(full, value=full.value - warm.value)
    record(BOUND, [growth.value / mib], {"growth": [growth], "setting": [replace(full, value=mib)]})


async def touch(bench: Bench, first: int, last: int, times: int) -> Done:
    """Sends `times` commands for each of these orgs, and waits until they are projected."""
    for start in range(first, last, PORTION):
        sends = [
            by_user("RENAME_ORG", org(number), user(1 + number % USERS), fresh_id(), name="Harbour")
            for _ in range(times)
            for number in range(start + 1, min(start + PORTION, last) + 1)
        ]
        records = [command_record(send, bench.settings.partitions) for send in sends]
        await kafka_load.run(bench.settings, Mode.FLOOD, "commands", records)
        await bench.until_projected()
    return Done((last - first) * times)


if __name__ == "__main__":
    main()
