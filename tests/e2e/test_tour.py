"""The tour in the README: each line is run in a shell against a running Daybook, and each output is compared."""

import time

import pytest

from support.clone import Shell, running_clone
from support.documents import Step, difference, page, section, steps

pytestmark = pytest.mark.timeout(240)

TOUR = section(page("README.md"), "A tour of five minutes")
DOOR = "http://127.0.0.1:8000"
# Commands that read the tables, which may lag behind the log.
READS = ("psql", "daybook status", "daybook alerts")
CATCH_UP_SECONDS = 15


def test_every_step_of_the_tour_has_the_shown_output() -> None:
    assert TOUR.count(DOOR) == 1
    tour = steps(TOUR)
    assert sum(step.answer is not None for step in tour) >= 9
    with running_clone() as clone, Shell(clone) as shell:
        for step in (Step(each.lines.replace(DOOR, clone.door), each.answer) for each in tour):
            check_step(shell, step)


def check_step(shell: Shell, step: Step) -> None:
    deadline = time.monotonic() + (CATCH_UP_SECONDS if step.lines.startswith(READS) else 0)
    while True:
        output = shell.run(step.lines)
        mismatch = difference(step.answer, output) if step.answer is not None else output
        if not mismatch:
            return
        assert time.monotonic() < deadline, f"{step.lines}\n{mismatch}"
