"""The honesty of the simulation: it must notice whenever one protection is missing."""

import re

import pytest

from support.documents import page, section
from support.judges import JUDGES
from support.mutants import MUTANTS, Mutant
from support.surroundings import LOUD
from support.under_fire import HEAD, OF_EACH, names, row

PAGE = "docs/fault-testing.md"


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.remove.__name__)
def test_a_missing_protection_is_noticed(mutant: Mutant) -> None:
    assert mutant.caught(range(OF_EACH)) is not None


def test_the_page_has_a_row_for_every_mutant_and_no_other() -> None:
    rows = [line for line in section(page(PAGE), "Mutants").splitlines() if line.startswith("| ")]
    assert rows[0] == row(HEAD)
    assert [line.split(" | ")[:3] for line in rows[2:]] == [
        row(names(mutant)).removesuffix(" |").split(" | ") for mutant in MUTANTS
    ]


def test_the_page_has_every_judge() -> None:
    assert re.findall(r"^\| `(\w+)` \|", page(PAGE), re.MULTILINE) == [*JUDGES, *LOUD]
