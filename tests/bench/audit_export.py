"""Prints how long an export takes, and its peak memory, for a growing log: the peak must not grow with the log.
`python tests/bench/audit_export.py [--entries FEW MANY ...]`.
"""

import argparse
import asyncio
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.figures import say
from bench.long_log import growing_log
from bench.systems import own_systems
from daybook_infra.runtime.settings import Settings
from support.processes import System, environment

EXPORT = """
import sys
from daybook_infra.operations.cli import main
main(["audit", "export", *sys.argv[1:]], standalone_mode=False)
(peak,) = (line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(peak)
"""
"""Reads VmHWM, because a process's `ru_maxrss` begins with the memory of the process that started it."""

KINDS = (("topic", "jsonl"), ("audit_log", "jsonl"), ("audit_log", "csv"), ("audit_log", "parquet"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, nargs="+", default=[10_000, 100_000], help="lengths of the log, rising")
    args = parser.parse_args()
    with own_systems() as systems:
        asyncio.run(run(systems.start(), args.entries))


async def run(system: System, lengths: list[int]) -> None:
    async for length in growing_log(system, lengths):
        for source, format_ in KINDS:
            await asyncio.to_thread(measure, system.settings, length, source, format_)


def measure(settings: Settings, length: int, source: str, format_: str) -> None:
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        options = ("--from", source, "--format", format_)
        begun = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", EXPORT, folder, *options],
            env=environment(settings),
            stdout=subprocess.PIPE,
            check=True,
        )
        seconds = time.perf_counter() - begun
        said, peak = done.stdout.decode().splitlines()
        size = sum(path.stat().st_size for path in Path(folder).iterdir())
    say(
        f"{length:>9,} entries from {source:9} as {format_:7}: {seconds:7.1f} s, {size / 2**20:6.0f} MiB written, "
        f"peak {int(peak) / 1024:4.0f} MiB ({said.partition(',')[0]})"
    )


if __name__ == "__main__":
    main()
