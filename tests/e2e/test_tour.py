"""The README's tour: every line of it is typed into a shell beside a running Daybook, and every answer is compared."""

import time

import pytest

from support.clone import Shell, running_clone
from support.documents import Step, difference, page, section, steps

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

TOUR = section(page("README.md"), "A tour of five minutes")
DOOR = "http://127.0.0.1:8000"
# What reads the tables may be behind them.
READS = ("psql", "daybook status", "daybook alerts")
CAUGHT_UP_SECONDS = 15


def test_every_line_of_the_tour_answers_as_shown() -> None:
    assert TOUR.count(DOOR) == 1
    tour = steps(TOUR)
    assert sum(step.answer is not None for step in tour) >= 9
    with running_clone() as running, Shell(running) as shell:
        for step in (Step(each.lines.replace(DOOR, running.door), each.answer) for each in tour):
            answered(shell, step)


def answered(shell: Shell, step: Step) -> None:
    deadline = time.monotonic() + (CAUGHT_UP_SECONDS if step.lines.startswith(READS) else 0)
    while True:
        got = shell.run(step.lines)
        wrong = difference(step.answer, got) if step.answer is not None else got
        if not wrong:
            return
        assert time.monotonic() < deadline, f"{step.lines}\n{wrong}"
