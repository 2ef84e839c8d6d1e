"""`python -m chaos.mutated PROTECTION ...` is `daybook ...` without that protection: the removal that the simulation
makes (support.removals), or its counterpart where that is made in what is simulated, and never undone.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from chaos.counterparts import COUNTERPARTS
from daybook_infra.operations.cli import main as daybook
from support.mutants import MUTANTS
from support.patching import Patch

TESTS = Path(__file__).parent.parent


def program(lacks: str) -> Sequence[str]:
    """What is started in place of `daybook`, wherever."""
    return "env", f"PYTHONPATH={TESTS}", sys.executable, "-m", "chaos.mutated", lacks


def main() -> None:
    lacks, *arguments = sys.argv[1:]
    mutant = next(each for each in MUTANTS if each.lacks == lacks)
    COUNTERPARTS.get(mutant.remove, mutant.remove)(Patch())
    daybook.main(arguments, prog_name="daybook")


if __name__ == "__main__":
    main()
