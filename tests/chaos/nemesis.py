"""Plays faults that are drawn from a seed: a few at a time, but never two on the same thing. Says each in a line, and
counts those that did harm.
"""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from random import Random

from chaos.fault import Fault
from chaos.faults.failpoints import FAILPOINTS
from chaos.faults.network import NETWORK
from chaos.faults.processes import PROCESSES
from chaos.faults.records import RECORDS
from chaos.faults.servers import SERVERS
from chaos.scene import Scene

FAULTS: Sequence[Fault] = [*PROCESSES, *SERVERS, *NETWORK, *RECORDS, *FAILPOINTS]
# A fault that found nothing to harm is tried again.
TRIES = 3


def for_seconds(seconds: float, faults: Sequence[Fault], random: Random) -> Iterator[Fault]:
    """As from a deck of cards, which is shuffled whenever it is used up: so all kinds come about equally often."""
    until = time.monotonic() + seconds
    while True:
        for fault in random.sample(faults, len(faults)):
            if time.monotonic() > until:
                return
            yield fault


@dataclass(frozen=True, slots=True)
class Pace:
    """So many faults at a time; and a pause, of between so many seconds, after each."""

    at_once: int = 3
    pauses: tuple[float, float] = (0.2, 1.5)


BRISK = Pace()


@dataclass(slots=True)
class Nemesis:
    scene: Scene
    random: Random
    say: Callable[[str], None]
    counts: Counter[str]
    pace: Pace = BRISK
    _free: dict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))

    async def rage(self, faults: Iterable[Fault]) -> None:
        """Everything is healed when this returns."""
        drawn = ((fault, Random(self.random.random())) for fault in faults)
        async with asyncio.TaskGroup() as group:
            for _ in range(self.pace.at_once):
                group.create_task(self._play(drawn))

    async def _play(self, drawn: Iterator[tuple[Fault, Random]]) -> None:
        for fault, draw in drawn:
            if not await self._tried(fault, draw):
                self.say(f"missed: {fault.name}")
            self.scene.fleet.look()
            await asyncio.sleep(draw.uniform(*self.pace.pauses))

    async def _tried(self, fault: Fault, draw: Random) -> bool:
        for _ in range(TRIES):
            async with AsyncExitStack() as held:
                for thing in sorted(fault.touches):
                    await held.enter_async_context(self._free[thing])
                if await self._struck(fault, draw):
                    return True
            await asyncio.sleep(draw.uniform(*BRISK.pauses))
        return False

    async def _struck(self, fault: Fault, draw: Random) -> bool:
        began = time.monotonic()
        heal = await fault.inject(self.scene, draw)
        if heal is None:
            return False
        self.counts[fault.name] += 1
        await asyncio.sleep(draw.uniform(*fault.seconds))
        await heal()
        seconds = round(time.monotonic() - began, 1)
        self.say(f"{fault.name}, for {seconds} s")
        self.scene.history.note("fault", name=fault.name, seconds=seconds)
        return True
