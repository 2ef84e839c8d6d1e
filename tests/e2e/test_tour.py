"""The tours of the README, docs/reading.md and docs/auditing.md: each step is run in a shell against a running Daybook,
and its output is compared with the page. Each tour continues where the previous one ends.
"""

import re
import time
from collections.abc import Iterator

import pytest

from support.clone import Shell, running_clone
from support.documents import Step, difference, page, section, steps

pytestmark = pytest.mark.timeout(300)

TOUR = section(page("README.md"), "A tour of five minutes")
AUDITORS_TOUR = section(page("docs/auditing.md"), "A tour")
READ_API = section(page("docs/reading.md"), "The read API")
STREAM = section(page("docs/reading.md"), "The stream")
DOOR = "http://127.0.0.1:8000"
PROJECTOR = "http://127.0.0.1:8001"
# Commands that read the tables, which may lag behind the log.
READS = ("psql", "daybook status", "daybook alerts")
CATCH_UP_SECONDS = 15
# On a slow machine, a command that takes long prints its progress.
PROGRESS = re.compile(r"^\d+ of \d+ entries .*\n", re.MULTILINE)


class Reader:
    """Types the steps of all tours in one shell. `mismatches` are those of the README's tour."""

    def __init__(self, shell: Shell, door: str, projector: str) -> None:
        self._shell = shell
        urls = {DOOR: door, PROJECTOR: projector}
        self.mismatches = [
            mismatch
            for step in steps(TOUR)
            if (mismatch := self.mismatch(Step(with_urls(step.lines, urls), step.answer))) is not None
        ]

    def mismatch(self, step: Step) -> str | None:
        """Runs a step; returns how its output differs from the one shown."""
        deadline = time.monotonic() + (CATCH_UP_SECONDS if step.lines.startswith(READS) else 0)
        while True:
            output = PROGRESS.sub("", self._shell.run(step.lines))
            found = difference(step.answer, output) if step.answer is not None else output
            if not found:
                return None
            if time.monotonic() > deadline:
                return f"{step.lines}\n{found}"


def with_urls(lines: str, urls: dict[str, str]) -> str:
    for shown, actual in urls.items():
        lines = lines.replace(shown, actual)
    return lines


@pytest.fixture(scope="module")
def reader() -> Iterator[Reader]:
    """A reader who has followed the README's tour."""
    with running_clone() as clone, Shell(clone) as shell:
        yield Reader(shell, clone.door, clone.projector)


def test_every_step_of_the_tour_has_the_shown_output(reader: Reader) -> None:
    assert TOUR.count(DOOR) == TOUR.count(PROJECTOR) == 1
    assert sum(step.answer is not None for step in steps(TOUR)) >= 9
    assert reader.mismatches == []


def test_every_step_of_the_page_on_reading_has_the_shown_output(reader: Reader) -> None:
    tour = [*steps(READ_API), *steps(STREAM)]
    assert sum(step.answer is not None for step in tour) >= 4
    for step in tour:
        mismatch = reader.mismatch(step)
        assert mismatch is None, mismatch


def test_every_step_of_the_auditors_tour_has_the_shown_output(reader: Reader) -> None:
    tour = steps(AUDITORS_TOUR)
    assert sum(step.answer is not None for step in tour) >= 15
    for step in tour:
        mismatch = reader.mismatch(step)
        assert mismatch is None, mismatch
