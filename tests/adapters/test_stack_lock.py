"""Locks of the local stack: one holder at a time, and a killed holder releases its lock."""

import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from daybook_infra.stack.interface import StackError
from daybook_infra.stack.lock import is_held, lock_or_refuse, lock_or_wait
from daybook_infra.stack.processes import Child, run, spawn

HOLD_LOCK = """
import signal
from pathlib import Path
from daybook_infra.stack.lock import lock_or_refuse
with lock_or_refuse(Path({file!r}), ""):
    print("held", flush=True)
    signal.pause()
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "up.lock"


@pytest.fixture
def holder(file: Path) -> Iterator[psutil.Process]:
    """A process that holds the lock until it is killed."""
    log = file.with_suffix(".log")
    pid = spawn(Child([sys.executable, "-c", HOLD_LOCK.format(file=str(file))]), log)
    assert run(Child(["sh", "-c", f"until grep -q held {log}; do :; done"]), seconds=10).code == 0
    process = psutil.Process(pid)
    yield process
    if process.is_running():
        process.kill()
        process.wait(10)


def test_a_second_holder_is_refused_with_the_pid_of_the_first(file: Path, holder: psutil.Process) -> None:
    with (
        pytest.raises(StackError, match=f"^runs already, pid {holder.pid}$"),
        lock_or_refuse(file, "runs already, pid {pid}"),
    ):
        pass


def test_a_killed_holder_releases_the_lock(file: Path, holder: psutil.Process) -> None:
    assert is_held(file)
    holder.kill()
    holder.wait(10)
    assert not is_held(file)


@pytest.mark.usefixtures("holder")
def test_waiting_too_long_is_a_clear_error(file: Path) -> None:
    messages: list[str] = []
    with pytest.raises(StackError, match="end it and try again"), lock_or_wait(file, messages.append, seconds=0.2):
        pass
    assert messages == [f"waiting for another daybook process that holds {file}"]


def test_a_released_lock_can_be_acquired_again(file: Path) -> None:
    for _ in range(2):
        with lock_or_wait(file, pytest.fail):
            assert is_held(file)
    assert not is_held(file)


def test_a_lock_without_a_file_is_not_held(file: Path) -> None:
    assert not is_held(file)
