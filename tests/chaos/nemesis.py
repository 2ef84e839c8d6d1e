"""Injects faults drawn from a seed: a few at a time, but never two on the same target. Reports each fault in a line,
and counts those that had an effect.
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
# A fault that has no effect is tried at most this many times.
TRIES = 3


def for_seconds(seconds: float, faults: Sequence[Fault], random: Random) -> Iterator[Fault]:
    """Draws all faults once in random order, then again in another order, and so on; so all are equally frequent."""
    until = time.monotonic() + seconds
    while True:
        for fault in random.sample(faults, len(faults)):
            if time.monotonic() > until:
                return
            yield fault


@dataclass(frozen=True, slots=True)
class Pace:
    """How many faults at a time, and the range of the pause after each, in seconds."""

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

    async def inject_all(self, faults: Iterable[Fault]) -> None:
        """Injects the faults. When it returns, all faults are healed."""
        drawn = ((fault, Random(self.random.random())) for fault in faults)
        async with asyncio.TaskGroup() as group:
            injecting = [group.create_task(self._inject_drawn(drawn)) for _ in range(self.pace.at_once)]
        # A task group does not report a task that cancels itself, as aiokafka's `stop` may do.
        if any(task.cancelled() for task in injecting):
            raise RuntimeError("a fault cancelled its own task")

    async def _inject_drawn(self, drawn: Iterator[tuple[Fault, Random]]) -> None:
        for fault, draw in drawn:
            if not await self._try(fault, draw):
                self.say(f"missed: {fault.name}")
            self.scene.fleet.restart_crashed()
            await asyncio.sleep(draw.uniform(*self.pace.pauses))

    async def _try(self, fault: Fault, draw: Random) -> bool:
        for _ in range(TRIES):
            async with AsyncExitStack() as locks:
                for target in sorted(fault.targets):
                    await locks.enter_async_context(self._free[target])
                if await self._inject(fault, draw):
                    return True
            await asyncio.sleep(draw.uniform(*BRISK.pauses))
        return False

    async def _inject(self, fault: Fault, draw: Random) -> bool:
        started = time.monotonic()
        heal = await fault.inject(self.scene, draw)
        if heal is None:
            return False
        self.counts[fault.name] += 1
        await asyncio.sleep(draw.uniform(*fault.seconds))
        await heal()
        seconds = round(time.monotonic() - started, 1)
        self.say(f"{fault.name}, for {seconds} s")
        self.scene.history.note("fault", name=fault.name, seconds=seconds)
        return True
