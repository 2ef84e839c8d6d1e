"""`make soak`: steady traffic and one fault a minute for as long as you like, judged like every run. It also checks
that memory and file descriptors of long-lived instances do not grow. Exits with 1 if there is a problem.
"""

import argparse
import asyncio
import logging
import sys
import tempfile
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from chaos.footprints import Footprints, thirds
from chaos.nemesis import FAULTS, Pace, for_seconds
from chaos.run import report, say
from chaos.scene import Setup
from chaos.trial import Plan, run_once

# With the duration of the fault itself, about a minute.
ONE_A_MINUTE = Pace(at_once=1, pauses=(48.0, 58.0))
# 15 to 20 commands a second from all publishers together.
PAUSE_SECONDS = 1.0
# A small cache is full after a few minutes, so later growth has another cause.
SETUP = Setup(changes={"cache_mib": 0.1}, veterans=1)


@dataclass(slots=True)
class MinuteReport:
    """Prints a line each minute: memory and descriptors, and the faults that have ended since the line before."""

    faults: list[str] = field(default_factory=list)

    def show(self, line: str) -> None:
        say(f"{line}; {', '.join(self.faults) or 'no fault'}")
        self.faults.clear()


def main() -> int:
    args = _arguments()
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # it logs every fault
    folder, minutes = Path(tempfile.mkdtemp(prefix="daybook-soak-")), MinuteReport()
    watch = Footprints(minutes.show)
    draw = partial(for_seconds, args.minutes * 60, FAULTS)
    plan = Plan(draw, SETUP, ONE_A_MINUTE, PAUSE_SECONDS, watch=watch)
    say(f"seed {args.seed}, {args.minutes:g} minutes")
    verdict = asyncio.run(run_once(args.seed, plan, folder, minutes.faults.append))
    for name, count in sorted(verdict.faults.items()):
        say(f"{count:6} {name}")
    say("medians of the thirds of each life that was long enough to be judged")
    for name, life in watch.judged().items():
        say(f"{name:14} {' | '.join(map(str, thirds(life)))}")
    report(verdict)
    return bool(verdict.problems)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="seed of the faults and commands")
    parser.add_argument("--minutes", type=float, default=30.0, help="how long the run injects faults")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
