"""CPU time and peak memory of named processes, and the CPU time of all other processes: process ids in, seconds and
bytes out. A named process includes its descendants, except those that have a name of their own. Linux only.
"""

import os
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")
BENCH = "bench"
"""The name of this process and of its descendants without a name: generators, yardsticks' clients, psql."""


@dataclass(frozen=True, slots=True)
class Usage:
    """`cpu`: seconds by name. `peak`: the largest resident memory by name, in bytes, without descendants. `others`: how
    many cores all other processes used.
    """

    seconds: float
    cpu: Mapping[str, float]
    peak: Mapping[str, int]
    others: float


@dataclass(frozen=True, slots=True)
class _Process:
    parent: int
    ticks: int


class Watch:
    """Measures from its creation until `stop`."""

    def __init__(self, named: Mapping[str, int]) -> None:
        self._names = {pid: name for name, pid in named.items()} | {os.getpid(): BENCH}
        for pid in self._names:
            reset_peak(pid)
        self._began, self._busy, self._cpu = time.perf_counter(), _busy_ticks(), self._ticks()

    def stop(self) -> Usage:
        seconds = time.perf_counter() - self._began
        now = self._ticks()
        cpu = {name: (ticks - self._cpu[name]) / TICK for name, ticks in now.items()}
        busy = (_busy_ticks() - self._busy) / TICK
        peak = {name: peak_of(pid) for pid, name in self._names.items()}
        return Usage(seconds, cpu, peak, max(0.0, busy - sum(cpu.values())) / seconds)

    def _ticks(self) -> dict[str, int]:
        """CPU ticks by name, with those of ended descendants that were waited for: the parent's time includes them."""
        found = _processes()
        ticks = dict.fromkeys(self._names.values(), 0)
        for pid, process in found.items():
            name = self._name_of(pid, found)
            if name is not None:
                ticks[name] += process.ticks
        return ticks

    def _name_of(self, pid: int, found: Mapping[int, _Process]) -> str | None:
        while pid in found:
            if pid in self._names:
                return self._names[pid]
            pid = found[pid].parent
        return None


def _processes() -> dict[int, _Process]:
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended
            # The fields from the third on; the second one is a name in brackets.
            stat = (folder / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
            found[int(folder.name)] = _Process(int(stat[1]), sum(map(int, stat[11:15])))
    return found


def _busy_ticks() -> int:
    """User, nice, system and stolen time of all cores. Interrupts are left out: most of them are the benchmark's own,
    for its traffic on the loopback interface, and Linux adds them to no process.
    """
    user, nice, system, _, _, _, _, stolen = map(int, Path("/proc/stat").read_text(encoding="ascii").split()[1:9])
    return user + nice + system + stolen


def reset_peak(pid: int) -> None:
    Path(f"/proc/{pid}/clear_refs").write_text("5", encoding="ascii")  # proc(5)


def peak_of(pid: int) -> int:
    """The largest resident memory since the last reset, in bytes."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0
