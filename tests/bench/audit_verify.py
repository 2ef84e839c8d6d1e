"""Prints what verifying costs: CPU per entry of the topic, beside a plain loop of `orjson.loads` and SHA-256 over the
same bytes, and the memory of verifying everything for a log that grows.
`python tests/bench/audit_verify.py [--entries FEW MANY ...]`.
"""

import argparse
import asyncio
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import orjson

from bench.figures import say
from bench.long_log import append_entries, create_orgs
from bench.systems import own_systems
from daybook_infra.runtime.settings import Settings
from support.driving import connected, over_kafka
from support.processes import System, environment
from support.publisher import Publisher
from support.topics import records_of

VERIFY = """
import resource, sys
from daybook_infra.operations.cli import main
try:
    main(["audit", "verify", *sys.argv[1:]], standalone_mode=False)
except SystemExit as end:
    assert not end.code, end
own, workers = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
cpu = sum(each.ru_utime + each.ru_stime for each in (own, workers))
(peak,) = (line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(cpu, peak, workers.ru_maxrss)
"""
"""`ru_maxrss` of the process itself begins with the memory of the process that started it."""


@dataclass(frozen=True, slots=True)
class Cost:
    """`peak`: MiB of the main process, and of as many workers as there are cores if there were any."""

    seconds: float
    cpu: float
    peak: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, nargs="+", default=[50_000, 200_000], help="lengths of the log, rising")
    args = parser.parse_args()
    with own_systems() as systems:
        asyncio.run(run(systems.start(), args.entries))


async def run(system: System, lengths: list[int]) -> None:
    async with Publisher(system.settings) as publisher, connected(system.settings) as database:
        places = await create_orgs(over_kafka(publisher), database, system.settings.partitions)
        # No shard may run while entries are appended from outside.
        await asyncio.to_thread(system.commands.pop().stop)
        before = 0
        for length in lengths:
            await append_entries(system.settings, database, places, length - before)
            before = length
            floor = await floor_of(system.settings)
            topic = await asyncio.to_thread(verify, system.settings, "--scope", "topic")
            whole = await asyncio.to_thread(verify, system.settings)
            say_all(length, floor, topic, whole)


async def floor_of(settings: Settings) -> float:
    """CPU seconds of the loop."""
    values = [record.value or b"" for record in await records_of(settings, "audit_log")]
    begun = time.process_time()
    for value in values:
        orjson.loads(value)
        sha256(value).digest()
    return time.process_time() - begun


def verify(settings: Settings, *options: str) -> Cost:
    begun = time.perf_counter()
    command = [sys.executable, "-c", VERIFY, *options]
    done = subprocess.run(command, env=environment(settings), stdout=subprocess.PIPE, check=True)
    seconds = time.perf_counter() - begun
    cpu, own, worker = done.stdout.decode().splitlines()[-1].split()
    return Cost(seconds, float(cpu), (int(own) + int(worker) * (os.cpu_count() or 1)) / 1024)


def say_all(length: int, floor: float, topic: Cost, whole: Cost) -> None:
    each, least = (seconds / length * 1e6 for seconds in (topic.cpu, floor))
    say(f"{length:>9,} entries: topic {each:5.1f} us CPU each, floor {least:5.1f}, ratio {each / least:4.1f}")
    each = whole.cpu / length * 1e6
    say(f"{length:>9,} entries: all {each:5.1f} us CPU each, {whole.seconds:.1f} s, peak {whole.peak:.0f} MiB")


if __name__ == "__main__":
    main()
