"""Prints what the death of an instance costs with a short and with a long log: `python tests/bench/recovery.py
[--entries FEW MANY] [--kills N]`. It appends the entries to the topic itself, because a million commands would take
long. It asserts nothing about time: compare the ratios.
"""

import argparse
import asyncio
import sys
import time
from contextlib import AsyncExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.figures import say, say_both
from bench.kills import Pair
from bench.long_log import append_entries, create_orgs
from bench.systems import own_systems
from daybook_infra.runtime.kafka.clients import HEARTBEAT_MS, SESSION_TIMEOUT_MS
from support.driving import open_database, over_kafka
from support.processes import System
from support.publisher import Publisher


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, nargs=2, default=(10_000, 1_000_000), metavar=("FEW", "MANY"))
    parser.add_argument("--kills", type=int, default=8, help="instances killed in each system")
    args = parser.parse_args()
    with own_systems() as systems:
        few, many = (systems.start() for _ in args.entries)
        asyncio.run(run(few, many, *args.entries, kills=args.kills))


async def run(short: System, long: System, few: int, many: int, *, kills: int) -> None:
    async with AsyncExitStack() as closing:
        pairs = await _pair(short, few, closing), await _pair(long, many, closing)
        # The two systems alternate, so that other load affects both. How soon Kafka notices a death depends on the last
        # heartbeat; so the kills are spread over the heartbeat interval, in the same way for both.
        for number in range(kills):
            for pair in pairs:
                await pair.kill_one(HEARTBEAT_MS / 1e3 * number / kills)
    report(*pairs, few, many)


async def _pair(system: System, entries: int, closing: AsyncExitStack) -> Pair:
    publisher = await closing.enter_async_context(Publisher(system.settings))
    start = time.perf_counter()
    async with open_database(system.settings) as database:
        places = await create_orgs(over_kafka(publisher), database, system.settings.partitions)
        # No shard may run while entries are appended from outside.
        await asyncio.to_thread(system.commands.pop().stop)
        await append_entries(system.settings, database, places, entries)
    say(f"{entries} entries are in log and tables after {time.perf_counter() - start:.0f} s")
    for _ in range(2):
        await asyncio.to_thread(system.start("command").wait_ready)
    return Pair(system, publisher, places)


def report(short: Pair, long: Pair, few: int, many: int) -> None:
    say(f"{'':<48} {few:>11} {many:>11}   ratio")
    say_both("from kill -9 to a partition's first decision", short.first_decision, long.first_decision)
    session = SESSION_TIMEOUT_MS / 1e3
    for name, number in (("p50", lambda pair: pair.first_decision.p50), ("slowest", _slowest)):
        over = [f"{(number(pair) - session) * 1e3:8.2f} ms" for pair in (short, long)]
        say(f"{f'  less the session of {session:g} s, {name}':<48} {' '.join(over)}")
    say_both("from a partition's assignment to its readiness", short.takeover, long.takeover)
    say_both("from an instance's start to its readiness", short.ready, long.ready)


def _slowest(pair: Pair) -> float:
    return max(pair.first_decision.seconds)


if __name__ == "__main__":
    main()
