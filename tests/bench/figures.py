"""Prints measurements as lines of a table, and reads the memory of a process."""

import os
import sys
import time
from collections.abc import Awaitable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles
from typing import TypeVar

T = TypeVar("T")
PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(slots=True)
class Timings:
    """How long each run of one operation took, in seconds."""

    seconds: list[float] = field(default_factory=list)

    async def of(self, work: Awaitable[T]) -> T:
        start = time.perf_counter()
        result = await work
        self.seconds.append(time.perf_counter() - start)
        return result

    @property
    def p50(self) -> float:
        return median(self.seconds)

    @property
    def p95(self) -> float:
        return quantiles(self.seconds, n=20, method="inclusive")[-1]


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def say_both(name: str, few: Timings, many: Timings) -> None:
    both = f"{few.p50 * 1e3:8.2f} ms {many.p50 * 1e3:8.2f} ms {many.p50 / few.p50:7.2f}"
    say(f"{name:<48} {both}   ({len(many.seconds)} each)")


def rss(pid: int) -> int:
    """The resident memory of a process in bytes."""
    return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * PAGE
