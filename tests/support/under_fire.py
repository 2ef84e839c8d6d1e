"""Runs more schedules of the simulation: `python -m support.under_fire SCHEDULES [FIRST_SEED]`. First runs them without
mutants. Then runs each mutant with the seeds 0 to 99, and prints the table of docs/fault-testing.md.
"""

import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence

from support.mutants import MUTANTS, Mutant
from support.trials import verdict

OF_EACH = 100
HEAD = ("without", "rule", "removed", "found by", "after")


def main(schedules: int, first_seed: int) -> None:
    begun_at = time.process_time()
    for seed in range(first_seed, first_seed + schedules):
        failed = verdict(seed)
        if failed is not None:
            sys.exit(f"seed {seed}: {failed}")
    minutes = (time.process_time() - begun_at) / 60
    _say(f"{schedules} schedules passed, {schedules / minutes:.0f} a minute on one core\n")
    _say(row(HEAD))
    _say(row("---" for _ in HEAD))
    for mutant in MUTANTS:
        _say(row((*names(mutant), *found(mutant))))


def names(mutant: Mutant) -> tuple[str, str, str]:
    """The cells of the table that describe a mutant."""
    return mutant.lacks, mutant.rule, mutant.patch_summary


def found(mutant: Mutant) -> tuple[str, str]:
    """Two cells: for each judge, in how many of a hundred schedules it reported first; and the number of schedules
    until the first report.
    """
    verdicts = [mutant.verdict(seed, mutant.arrivals[0]) for seed in range(OF_EACH)]
    judges = Counter(failed.judge for failed in verdicts if failed is not None)
    first = next((runs for runs, failed in enumerate(verdicts, start=1) if failed is not None), None)
    return ", ".join(f"{judge} {count}" for judge, count in judges.most_common()), str(first)


def row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _numbers(arguments: Sequence[str]) -> tuple[int, int]:
    schedules, first_seed = [*map(int, arguments), 0][:2]
    return schedules, first_seed


if __name__ == "__main__":
    main(*_numbers(sys.argv[1:]))
