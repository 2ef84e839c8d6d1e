"""`make mutants`: for each mutant, runs real services that lack one protection until the checker finds a problem. Then
repeats that run, with the same faults, on unchanged services. Prints a table (docs/fault-testing.md has a short one).
Exits with 1 if a mutant was not found, or if a problem was found on unchanged services.
"""

import argparse
import asyncio
import logging
import shutil
import sys
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from chaos.hunts import HUNTS, NOT_HUNTED, Hunt
from chaos.mutated import program_without
from chaos.nemesis import for_seconds
from chaos.refusals import Refusals
from chaos.run import say
from chaos.scene import Setup
from chaos.trial import NoWatch, Plan, Verdict, run_once
from support.processes import PROGRAM
from support.under_fire import row

# A mutant may make a publisher wait forever. This limit is longer than any single fault and the recovery from it.
PATIENCE_SECONDS = 90.0
HEAD = ("without", "faults", "found by", "runs", "faults till then", "the same run with it")


@dataclass(slots=True)
class HuntResult:
    """The verdict of the last run, and the number of runs and faults until then. `control` is the verdict on unchanged
    services.
    """

    verdict: Verdict
    runs: int
    faults: int
    control: Verdict | None = None


def main() -> int:
    args = _arguments()
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # it logs every fault
    hunts = {lacks: hunt for lacks, hunt in HUNTS.items() if args.mutant in {None, lacks}}
    assert hunts, f"the protection {args.mutant!r} is unknown or not hunted; choose one of: {', '.join(HUNTS)}"
    rows, missed = [], 0
    for lacks, hunt in hunts.items():
        say(f"without {lacks}")
        result = _hunt(lacks, hunt, args)
        missed += result.control is None or bool(result.control.problems)
        rows.append(_row(lacks, hunt, result))
        say(rows[-1])
    for line in (row(HEAD), row("---" for _ in HEAD), *rows):
        say(line)
    for lacks, reason in NOT_HUNTED.items():
        say(f"not hunted, without {lacks}: {reason}")
    return bool(missed)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make mutants", description=__doc__)
    parser.add_argument("--mutant", help="hunt only the mutant that lacks this protection")
    parser.add_argument("--runs", type=int, default=4, help="maximum number of runs for each mutant, from seed 1 on")
    parser.add_argument("--seconds", type=float, default=40.0, help="how long a run injects faults")
    return parser.parse_args()


def _hunt(lacks: str, hunt: Hunt, args: argparse.Namespace) -> HuntResult:
    faults = 0
    for seed in range(1, args.runs + 1):
        verdict = _run(seed, hunt, Setup(program_without(lacks), hunt.changes), args.seconds)
        faults += verdict.faults.total()
        if verdict.problems:
            return HuntResult(verdict, seed, faults, _run(seed, hunt, Setup(PROGRAM, hunt.changes), args.seconds))
    return HuntResult(verdict, seed, faults)


def _run(seed: int, hunt: Hunt, setup: Setup, seconds: float) -> Verdict:
    folder = Path(tempfile.mkdtemp(prefix="daybook-mutant-"))
    watch = Refusals() if hunt.calm else NoWatch()
    draw = partial(for_seconds, seconds, hunt.faults)
    plan = Plan(draw, setup, hunt.pace, patience_seconds=PATIENCE_SECONDS, warm=True, watch=watch)
    verdict = asyncio.run(run_once(seed, plan, folder, lambda _: None))
    say(f"seed {seed}: {verdict.faults.total()} faults, {verdict.commands} commands, {verdict.voids} void records")
    for line in verdict.problems:
        say(f"    {line.strip().splitlines()[0][:300]}")
    shutil.rmtree(folder, ignore_errors=True)
    return verdict


def _row(lacks: str, hunt: Hunt, result: HuntResult) -> str:
    kinds = _kinds(result.verdict) or "not found"
    control = "not run" if result.control is None else _kinds(result.control) or "stood"
    return row((lacks, ", ".join(hunt.names), kinds, str(result.runs), str(result.faults), control))


def _kinds(verdict: Verdict) -> str:
    return ", ".join(dict.fromkeys(map(_kind, verdict.problems)))


def _kind(line: str) -> str:
    """The kind of problem, without details."""
    first = line.splitlines()[0]
    return "an instance ended by itself" if " ended " in first else first.partition(":")[0]


if __name__ == "__main__":
    sys.exit(main())
