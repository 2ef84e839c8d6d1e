"""Measures the resident memory and open file descriptors of instances during a run, and judges whether they grow."""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from statistics import median
from typing import NamedTuple

import psutil

from chaos.fleet import Slot
from chaos.scene import Scene

EVERY_SECONDS = 5.0
MIB = 1024 * 1024
# Instances with fewer samples are not judged, because they may still be filling their caches.
JUDGED_SAMPLES = 36
MORE_MEMORY, MORE_BYTES = 0.10, 8 * MIB
MORE_DESCRIPTORS = 5


class Footprint(NamedTuple):
    memory: int
    descriptors: int

    def __str__(self) -> str:
        return f"{self.memory / MIB:.1f} MiB {self.descriptors} fds"


Life = list[Footprint]


@dataclass(slots=True)
class Footprints:
    """`lives`: the samples of each instance, by slot and number of starts. `report` is called with a line each
    minute.
    """

    report: Callable[[str], None]
    lives: dict[str, Life] = field(default_factory=dict)

    async def observe(self, scene: Scene) -> None:
        started_at, minutes = time.monotonic(), 0
        while True:
            lines = [self._measure(slot) for slot in scene.fleet.slots if slot.service is not None]
            if time.monotonic() >= started_at + 60 * minutes:
                self.report(f"{minutes:3} min  {', '.join(line for line in lines if line)}")
                minutes += 1
            await asyncio.sleep(EVERY_SECONDS)

    def _measure(self, slot: Slot) -> str:
        """A line about the instance; empty if it has just ended."""
        assert slot.service is not None
        with suppress(psutil.NoSuchProcess):
            process, name = psutil.Process(slot.service.process.pid), f"{slot.name}#{slot.starts}"
            found = Footprint(process.memory_info().rss, process.num_fds())
            self.lives.setdefault(name, []).append(found)
            return f"{name} {found}"
        return ""

    def problems(self) -> list[str]:
        judged = self.judged()
        grown = [f"{name} grows: {fault}" for name, life in judged.items() if (fault := growth(life))]
        return grown if judged else [f"no instance lived for {JUDGED_SAMPLES * EVERY_SECONDS:g} s, so none was judged"]

    def judged(self) -> dict[str, Life]:
        return {name: life for name, life in self.lives.items() if len(life) >= JUDGED_SAMPLES}


def growth(life: Sequence[Footprint]) -> str | None:
    """Describes how an instance used more in the last third of its life than in the second third; None if it did not.
    In the first third, caches fill. Thirds are compared by their medians, because a fault may increase use for a while.
    """
    _, before, after = thirds(life)
    more = after.memory - before.memory
    if more > max(before.memory * MORE_MEMORY, MORE_BYTES) or after.descriptors > before.descriptors + MORE_DESCRIPTORS:
        return f"{before}, then {after}"
    return None


def thirds(life: Sequence[Footprint]) -> tuple[Footprint, Footprint, Footprint]:
    """The median of each third."""
    third = len(life) // 3
    first, second, last = life[:third], life[third : 2 * third], life[2 * third :]
    return _median(first), _median(second), _median(last)


def _median(part: Sequence[Footprint]) -> Footprint:
    return Footprint(int(median(each.memory for each in part)), int(median(each.descriptors for each in part)))
