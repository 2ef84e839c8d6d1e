"""Prints what it costs to verify logs of rising length: the peak memory, and the CPU time per entry. A plain loop of
`orjson.loads` and SHA-256 over the topic's bytes gives the floor. What a further entry costs comes from the difference
between two lengths; the rest is the fixed cost of starting processes. Then prints what each step costs.
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
from bench.long_log import growing_log
from bench.systems import own_systems
from bench.verify_steps import say_steps
from daybook_infra.runtime.settings import Settings
from daybook_projector.audit.log.topic import open_topic
from support.processes import System, environment

STEP_ENTRIES = 5_000
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
"""Reads VmHWM, because a process's `ru_maxrss` begins with the memory of the process that started it."""


@dataclass(frozen=True, slots=True)
class Cost:
    """`peak`: MiB of the main process plus, if there were workers, the largest worker's MiB for each core."""

    seconds: float
    cpu: float
    peak: float


@dataclass(frozen=True, slots=True)
class Costs:
    """CPU seconds for a log of `length` entries."""

    length: int
    floor: float
    topic: float
    whole: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, nargs="+", default=[50_000, 200_000], help="lengths of the log, rising")
    args = parser.parse_args()
    with own_systems() as systems:
        asyncio.run(run(systems.start(), args.entries))


async def run(system: System, lengths: list[int]) -> None:
    costs: list[Costs] = []
    async for length in growing_log(system, lengths):
        floor = await floor_of(system.settings)
        topic = await asyncio.to_thread(verify, system.settings, "--scope", "topic")
        whole = await asyncio.to_thread(verify, system.settings)
        costs.append(Costs(length, floor, topic.cpu, whole.cpu))
        say_all(costs[-1], topic, whole)
        if len(costs) > 1:
            say_further(*costs[-2:])
    await say_each_step(system.settings)


async def floor_of(settings: Settings) -> float:
    """CPU seconds of the plain loop."""
    seconds = 0.0
    async with open_topic(settings) as topic:
        for partition in range(settings.partitions):
            async for records in topic.records(partition, *await topic.bounds(partition)):
                values = [record.value or b"" for record in records]
                begun = time.process_time()
                for value in values:
                    orjson.loads(value)
                    sha256(value).digest()
                seconds += time.process_time() - begun
    return seconds


async def say_each_step(settings: Settings) -> None:
    """Measures only the first entries of one partition, because these fit into memory."""
    async with open_topic(settings) as topic:
        begun, values = time.process_time(), []
        async for records in topic.records(0, *await topic.bounds(0)):
            values += [record.value or b"" for record in records]
            if len(values) >= STEP_ENTRIES:
                break
        seconds = time.process_time() - begun
    say(f"  {'reading the record from Kafka':<68} {seconds / len(values) * 1e6:5.2f} us")
    say_steps(values, 0, settings.partitions)


def verify(settings: Settings, *options: str) -> Cost:
    begun = time.perf_counter()
    command = [sys.executable, "-c", VERIFY, *options]
    done = subprocess.run(command, env=environment(settings), stdout=subprocess.PIPE, check=True)
    seconds = time.perf_counter() - begun
    cpu, own, worker = done.stdout.decode().splitlines()[-1].split()
    return Cost(seconds, float(cpu), (int(own) + int(worker) * (os.cpu_count() or 1)) / 1024)


def say_all(costs: Costs, topic: Cost, whole: Cost) -> None:
    each, least = (seconds / costs.length * 1e6 for seconds in (costs.topic, costs.floor))
    start = f"{costs.length:>9,} entries:"
    say(f"{start} topic {each:5.1f} us CPU each, {topic.seconds:.1f} s, floor {least:5.1f}, peak {topic.peak:.0f} MiB")
    each = costs.whole / costs.length * 1e6
    say(f"{start} all {each:5.1f} us CPU each, {whole.seconds:.1f} s, peak {whole.peak:.0f} MiB")


def say_further(fewer: Costs, more: Costs) -> None:
    """Prints what one more entry costs, and the fixed cost, which does not depend on the length."""
    entries = more.length - fewer.length
    floor, topic, whole = (
        (after - before) / entries
        for before, after in ((fewer.floor, more.floor), (fewer.topic, more.topic), (fewer.whole, more.whole))
    )
    fixed = more.topic - topic * more.length
    say(
        f"a further entry: topic {topic * 1e6:.1f} us CPU, floor {floor * 1e6:.1f}, ratio {topic / floor:.1f}; "
        f"all {whole * 1e6:.1f} us; fixed {fixed:.1f} s"
    )


if __name__ == "__main__":
    main()
