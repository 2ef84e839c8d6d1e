"""Counts the commands that went the short way during a run, and those that fell back. Both must occur, or else the run
has not tested them.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field

import httpx

from chaos.fleet import Slot
from chaos.scene import Scene
from support.processes import sum_of

EVERY_SECONDS = 1.0
COUNTED = {"local": "daybook_command_local_total", "fallback": "daybook_door_fallbacks_total"}


@dataclass(slots=True)
class ShortWays:
    """`lives`: the last counts that each instance reported before it ended, by slot and number of starts."""

    lives: dict[str, dict[str, float]] = field(default_factory=dict)

    async def observe(self, scene: Scene) -> None:
        while True:
            await asyncio.gather(*(self._count(slot) for slot in scene.fleet.of("command")))
            await asyncio.sleep(EVERY_SECONDS)

    async def _count(self, slot: Slot) -> None:
        service, name = slot.service, f"{slot.name}#{slot.starts}"
        if service is not None:
            with suppress(httpx.HTTPError):
                metrics = await asyncio.to_thread(service.metrics)
                self.lives[name] = {each: sum_of(metrics, metric) for each, metric in COUNTED.items()}

    def total(self, counted: str) -> int:
        return int(sum(counts[counted] for counts in self.lives.values()))

    def __str__(self) -> str:
        return f"{self.total('local')} local commands, {self.total('fallback')} fell back"

    def problems(self) -> list[str]:
        return [f"no {counted} commands were counted" for counted in COUNTED if not self.total(counted)]
