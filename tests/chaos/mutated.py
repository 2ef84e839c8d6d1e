"""`python -m chaos.mutated PROTECTION ...` runs `daybook ...` without that protection. It applies the patch from
support.removals or, if that patch works only in the simulation, its counterpart from chaos.counterparts.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from chaos.counterparts import COUNTERPARTS
from daybook_infra.operations.cli import main as daybook
from support.mutants import MUTANTS
from support.patching import Patch

TESTS = Path(__file__).parent.parent


def program_without(lacks: str) -> Sequence[str]:
    """The program to start instead of `daybook`. It works in any folder."""
    return "env", f"PYTHONPATH={TESTS}", sys.executable, "-m", "chaos.mutated", lacks


def main() -> None:
    lacks, *arguments = sys.argv[1:]
    mutant = next(each for each in MUTANTS if each.lacks == lacks)
    COUNTERPARTS.get(mutant.remove, mutant.remove)(Patch())
    daybook.main(arguments, prog_name="daybook")


if __name__ == "__main__":
    main()
