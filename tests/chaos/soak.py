"""`make soak`: steady traffic and one fault a minute for as long as you like, judged as every run is; and whoever lives
through it must hold no more memory and no more descriptors than before. Exits with 1 if anything is wrong.
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
from chaos.run import say, tell
from chaos.scene import Cast
from chaos.trial import Plan, run_once

# With the fault itself a minute, about.
ONE_A_MINUTE = Pace(at_once=1, pauses=(48.0, 58.0))
# 15 to 20 commands a second of all publishers together.
PAUSE_SECONDS = 1.0
# Few, so that the cache is full after a few minutes and whatever grows then is something else.
CAST = Cast(changes={"cache_orgs": 40}, veterans=1)


@dataclass(slots=True)
class Chronicle:
    """A line each minute: the faults that have ended since the last one, and what everybody holds."""

    faults: list[str] = field(default_factory=list)

    def minute(self, line: str) -> None:
        say(f"{line}; {', '.join(self.faults) or 'no fault'}")
        self.faults.clear()


def main() -> int:
    asked = _arguments()
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # it complains of every fault
    folder, chronicle = Path(tempfile.mkdtemp(prefix="daybook-soak-")), Chronicle()
    watch = Footprints(chronicle.minute)
    draw = partial(for_seconds, asked.minutes * 60, FAULTS)
    plan = Plan(draw, CAST, ONE_A_MINUTE, PAUSE_SECONDS, watch=watch)
    say(f"seed {asked.seed}, {asked.minutes:g} minutes")
    verdict = asyncio.run(run_once(asked.seed, plan, folder, chronicle.faults.append))
    for name, count in sorted(verdict.faults.items()):
        say(f"{count:6} {name}")
    say("medians of the thirds of each life that was long enough to be judged")
    for name, life in watch.judged().items():
        say(f"{name:14} {' | '.join(map(str, thirds(life)))}")
    tell(verdict)
    return bool(verdict.wrong)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="of faults and commands")
    parser.add_argument("--minutes", type=float, default=30.0, help="how long the faults go on")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
