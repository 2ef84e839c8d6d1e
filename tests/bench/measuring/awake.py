"""Keeps every core awake: `with cores_awake():`. A virtual machine's core that has nothing to do halts, and to wake it
takes tens of microseconds of CPU time and of waiting. A lone command pays this at each of its steps; the cores of a
machine that has other work to do, or never halts, do not.

One process on each core spins with Linux's policy SCHED_IDLE (sched(7)), so that it yields to others of its session.
Their session is their own, and its autogroup has the least weight, because Linux shares a core among sessions first. If
two cores are threads of one, the spinning slows down the other core: do not measure saturation so.
"""

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

SPINS = 1_000_000
"""Turns between two looks at whether the parent is still there: some ten milliseconds."""


@contextmanager
def cores_awake() -> Iterator[None]:
    """Linux only. Call it while the process has one thread."""
    parent, cores = os.getpid(), sorted(os.sched_getaffinity(0))
    leader = os.fork()
    if not leader:
        _lead(parent, cores)
    try:
        yield
    finally:
        os.kill(leader, signal.SIGKILL)  # the others notice it
        os.waitpid(leader, 0)


def _lead(parent: int, cores: Sequence[int]) -> None:
    """Spins on the first core, and forks a process for each other one. Never returns."""
    os.setsid()
    with suppress(FileNotFoundError):  # the kernel has no autogroups
        Path("/proc/self/autogroup").write_text("19", encoding="ascii")
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    leader = os.getpid()
    for core in cores[1:]:
        if not os.fork():
            _spin(leader, core)
    _spin(parent, cores[0])


def _spin(parent: int, core: int) -> None:
    """Never returns. Ends when the parent has ended."""
    os.sched_setaffinity(0, {core})
    while os.getppid() == parent:
        for _ in range(SPINS):
            pass
    os._exit(0)
