"""`make chaos`: seeded runs with a line for each fault, and a summary. Exits with 1 if any run failed."""

import argparse
import asyncio
import logging
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from functools import partial
from pathlib import Path

from chaos.nemesis import FAULTS, for_seconds
from chaos.short_ways import ShortWays
from chaos.trial import Plan, Verdict, run_once


def main() -> int:
    args = _arguments()
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # it logs every fault
    folder = Path(tempfile.mkdtemp(prefix="daybook-chaos-"))
    verdicts, short_ways = list[Verdict](), list[ShortWays]()
    for seed in range(args.seed, args.seed + args.runs):
        say(f"seed {seed}")
        run_folder = folder / f"seed-{seed}"
        run_folder.mkdir()
        short_ways.append(ShortWays())
        plan = Plan(partial(for_seconds, args.minutes * 60, FAULTS), watch=short_ways[-1])
        verdicts.append(asyncio.run(run_once(seed, plan, run_folder, say)))
        report(verdicts[-1])
        say(f"seed {seed}: {short_ways[-1]}")
    _sum_up(verdicts)
    with suppress(OSError):  # not empty if a run failed
        folder.rmdir()
    return any(verdict.problems for verdict in verdicts)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--runs", type=int, default=3, help="number of runs, each with its own seed")
    parser.add_argument("--seed", type=int, default=1, help="seed of the first run; each further run adds 1")
    parser.add_argument("--minutes", type=float, default=2.0, help="how long a run injects faults")
    return parser.parse_args()


def say(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')}  {line}", flush=True)  # noqa: T201 - what this program is for


def report(verdict: Verdict) -> None:
    total = sum(verdict.faults.values())
    say(f"seed {verdict.seed}: {total} faults, {verdict.commands} commands, {verdict.voids} void records")
    for line in verdict.problems:
        say(f"WRONG  {line}")
    if verdict.problems:
        say(f"seed {verdict.seed} FAILED; its logs, history, topics and tables are in {verdict.folder}")


def _sum_up(verdicts: list[Verdict]) -> None:
    counts = sum((verdict.faults for verdict in verdicts), Counter[str]())
    for name, count in sorted(counts.items()):
        say(f"{count:6} {name}")
    failed = [verdict.seed for verdict in verdicts if verdict.problems]
    total, commands = counts.total(), sum(verdict.commands for verdict in verdicts)
    say(f"{total} faults and {commands} commands in {len(verdicts)} runs; failed seeds: {failed or 'none'}")
    if not failed and total:
        # The rule of three: after n trials without a failure, its probability is below 3 / n, at 95 % confidence.
        bounds = f"fewer than {3 / total:.2%} of faults do harm, and fewer than {3 / len(verdicts):.0%} of runs fail"
        say(f"with 95 % confidence, {bounds}")


if __name__ == "__main__":
    sys.exit(main())
