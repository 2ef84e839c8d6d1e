"""Mutation tests of the simulation: its judges must notice each protection that is removed."""

import re
from collections.abc import Callable

import pytest

from daybook_command.shard import machine
from support import trials
from support.documents import page, section
from support.judges import JUDGES
from support.mutants import MUTANTS, Mutant
from support.patching import NotRemoved, Patch
from support.simulation import Arrivals
from support.surroundings import JUDGES_DURING_RUN
from support.under_fire import HEAD, OF_EACH, names, row

PAGE = "docs/fault-testing.md"


FOUND = [(mutant, arrivals) for mutant in MUTANTS for arrivals in mutant.arrivals]


@pytest.mark.parametrize(
    ("mutant", "arrivals"), FOUND, ids=[f"{mutant.remove.__name__}-{arrivals}" for mutant, arrivals in FOUND]
)
def test_a_missing_protection_is_noticed(mutant: Mutant, arrivals: Arrivals) -> None:
    assert mutant.first_failure(range(OF_EACH), arrivals) is not None


@pytest.mark.parametrize(
    ("remove", "wrong"),
    [
        (lambda patch: patch.replace(machine, "was_renamed", lambda *_: None), "no daybook_command.shard.machine.was_"),
        (lambda patch: patch.replace(trials, "verdict", lambda _: None), "nothing calls .* support.trials.verdict"),
        (
            lambda patch: patch.replace(machine, "checkpoint_fault", lambda _memory: None),
            "machine.checkpoint_fault: .* takes 1 positional",
        ),
        (
            lambda patch: patch.replace(machine, "checkpoint_fault", lambda memory, _: memory.was_renamed),
            "machine.checkpoint_fault: .* has no",
        ),
    ],
    ids=["a missing name", "an alias that nothing calls", "another signature", "a missing member"],
)
def test_a_patch_that_removes_nothing_is_refused(remove: Callable[[Patch], None], wrong: str) -> None:
    with pytest.raises(NotRemoved, match=wrong):
        Mutant("nothing", "", remove).first_failure(range(3))


def test_the_page_lists_exactly_the_mutants() -> None:
    rows = [line for line in section(page(PAGE), "Mutants").splitlines() if line.startswith("| ")]
    assert rows[0] == row(HEAD)
    assert [line.split(" | ")[:3] for line in rows[2:]] == [
        row(names(mutant)).removesuffix(" |").split(" | ") for mutant in MUTANTS
    ]


def test_the_page_lists_every_judge() -> None:
    assert re.findall(r"^\| `(\w+)` \|", page(PAGE), re.MULTILINE) == [
        *(judge.__name__ for judge in JUDGES),
        *JUDGES_DURING_RUN,
    ]
