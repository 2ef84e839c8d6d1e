"""What instances hold while a run goes on, resident memory and open file descriptors, and whether it grows."""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from statistics import median
from typing import NamedTuple

import psutil

from chaos.fleet import Place
from chaos.scene import Scene

EVERY_SECONDS = 5.0
MIB = 1024 * 1024
# Whoever lived for less was still filling its caches.
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
    """The lives of all instances, by name and by how often that place was started. `tell` gets a line each minute."""

    tell: Callable[[str], None]
    lives: dict[str, Life] = field(default_factory=dict)

    async def look_on(self, scene: Scene) -> None:
        begun_at, minutes = time.monotonic(), 0
        while True:
            seen = [self._measured(place) for place in scene.fleet.places if place.service is not None]
            if time.monotonic() >= begun_at + 60 * minutes:
                self.tell(f"{minutes:3} min  {', '.join(each for each in seen if each)}")
                minutes += 1
            await asyncio.sleep(EVERY_SECONDS)

    def _measured(self, place: Place) -> str:
        """Empty where the instance has just gone."""
        assert place.service is not None
        with suppress(psutil.NoSuchProcess):
            process, name = psutil.Process(place.service.process.pid), f"{place.name}#{place.starts}"
            found = Footprint(process.memory_info().rss, process.num_fds())
            self.lives.setdefault(name, []).append(found)
            return f"{name} {found}"
        return ""

    def wrong(self) -> list[str]:
        judged = self.judged()
        grown = [f"{name} grows: {fault}" for name, life in judged.items() if (fault := growth(life))]
        return grown if judged else [f"nobody lived for {JUDGED_SAMPLES * EVERY_SECONDS:g} s, so nobody was judged"]

    def judged(self) -> dict[str, Life]:
        return {name: life for name, life in self.lives.items() if len(life) >= JUDGED_SAMPLES}


def growth(life: Sequence[Footprint]) -> str | None:
    """What a life has more of in its last third than in its second: caches fill in the first. Medians, as a fault may
    hold anything up for a while.
    """
    _, before, after = thirds(life)
    more = after.memory - before.memory
    if more > max(before.memory * MORE_MEMORY, MORE_BYTES) or after.descriptors > before.descriptors + MORE_DESCRIPTORS:
        return f"{before}, then {after}"
    return None


def thirds(life: Sequence[Footprint]) -> tuple[Footprint, Footprint, Footprint]:
    """The medians of each."""
    third = len(life) // 3
    first, second, last = life[:third], life[third : 2 * third], life[2 * third :]
    return _median(first), _median(second), _median(last)


def _median(part: Sequence[Footprint]) -> Footprint:
    return Footprint(int(median(each.memory for each in part)), int(median(each.descriptors for each in part)))
