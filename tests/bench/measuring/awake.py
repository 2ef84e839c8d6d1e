"""Keeps every core awake: `with cores_awake():`. A virtual machine's core that has nothing to do halts, and to wake it
takes tens of microseconds of CPU time and of waiting. A lone command pays this at each of its steps; the cores of a
machine that has other work to do, or never halts, do not.

One process on each core spins with Linux's policy SCHED_IDLE (sched(7)), so that it stops as soon as another process
wants the core. But if two cores are threads of one, its spinning slows down the other: do not measure saturation so.
"""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

SPINS = 1_000_000
"""Turns between two looks at whether the parent is still there: some ten milliseconds."""


@contextmanager
def cores_awake() -> Iterator[None]:
    """Linux only. Call it while the process has one thread."""
    spinners = [_start_spinner(core) for core in sorted(os.sched_getaffinity(0))]
    try:
        yield
    finally:
        for spinner in spinners:
            os.kill(spinner, signal.SIGKILL)
            os.waitpid(spinner, 0)


def _start_spinner(core: int) -> int:
    parent = os.getpid()
    sys.stdout.flush()
    spinner = os.fork()
    if not spinner:
        _spin(core, parent)
    return spinner


def _spin(core: int, parent: int) -> None:
    """Never returns. Ends when the parent has ended."""
    os.sched_setaffinity(0, {core})
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    while os.getppid() == parent:
        for _ in range(SPINS):
            pass
    os._exit(0)
