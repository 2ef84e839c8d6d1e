"""Measures seconds and CPU seconds of work that this process, programs that it starts, and PostgreSQL share. On a
machine that others use too, the CPU seconds are steadier.
"""

import os
import time
from collections.abc import Awaitable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from daybook_infra.runtime.postgres.connections import Connection


@dataclass(frozen=True, slots=True)
class Cost:
    """`cpu`: of everything that took part; `own`: of this process and the programs that it has run."""

    seconds: float
    cpu: float
    own: float


class Meter:
    """`postmaster`: PostgreSQL's first process, on this machine. Only the work may use this server."""

    def __init__(self, postmaster: int) -> None:
        self._postmaster = postmaster

    async def of(self, work: Awaitable[None]) -> Cost:
        began, own, server = time.perf_counter(), _own_cpu(), _server_cpu(self._postmaster)
        await work
        own = _own_cpu() - own
        return Cost(time.perf_counter() - began, own + _server_cpu(self._postmaster) - server, own)


async def open_meter(connection: Connection) -> Meter:
    backend = await connection.fetchval("SELECT pg_backend_pid()")
    return Meter(int(_stat(backend)[1]))


def _own_cpu() -> float:
    return sum(os.times()[:4])


def _server_cpu(postmaster: int) -> float:
    """CPU seconds of PostgreSQL's processes, including ended ones. Repeats the count if a process starts or ends during
    it, because that process would be missing or counted twice.
    """
    while True:
        before = _children_ticks(postmaster)
        ended = sum(int(each) for each in _stat(postmaster)[11:15])
        if _children_ticks(postmaster).keys() == before.keys():
            return (ended + sum(before.values())) / os.sysconf("SC_CLK_TCK")


def _children_ticks(parent: int) -> dict[int, int]:
    ticks = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            stat = _stat(int(folder.name))
            if int(stat[1]) == parent:
                ticks[int(folder.name)] = int(stat[11]) + int(stat[12])
    return ticks


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the third on. The second one is a name in brackets."""
    return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
