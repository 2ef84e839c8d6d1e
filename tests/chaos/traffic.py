"""Commands without end: one random workload after another, over orgs of its own, until it is enough."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

import asyncpg

from chaos.publishers import Publishers
from daybook_infra.runtime.settings import Settings
from support.chain import Json
from support.driving import Way, connected, eventually, send_all
from support.publisher import Send
from support.workload import Workload

AT_ONCE = 32
# Bounds what has to be judged afterwards: a run is about its faults, not about its load.
PAUSE_SECONDS = 0.1
# Fewer than what the generator takes for long ago: who was the first to ask for an id is then told by one log alone.
COMMANDS = 700


@dataclass(slots=True)
class Traffic:
    settings: Settings
    seed: int
    publishers: Publishers
    pause_seconds: float = PAUSE_SECONDS
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    enough: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        made = self.publishers
        ways = [self._paced(way) for way in (made.insist, made.trust, made.publish)]
        wave = 0
        while not self.enough.is_set():
            workload = Workload(self.seed * 1000 + wave, orgs=15, users=20, commands=COMMANDS)
            registered = await send_all(workload.registrations, ways, at_once=AT_ONCE)
            await self._projected([answer["position"] for _, answer in registered])
            self.begun.set()
            await send_all(self._until_enough(workload.sends), ways, at_once=AT_ONCE)
            wave += 1

    def _until_enough(self, sends: Sequence[Send]) -> Iterator[Send]:
        for send in sends:
            if self.enough.is_set():
                return
            yield send

    async def _projected(self, positions: Sequence[str]) -> None:
        """Once these users are in the tables, everybody may name them."""
        for position in positions:
            await eventually(partial(self._is_projected, position), self.publishers.patience_seconds)

    async def _is_projected(self, position: str) -> bool:
        try:
            async with connected(self.settings) as connection:
                return bool(await connection.fetchval("select daybook.wait_for($1, interval '5 seconds')", position))
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return False

    def _paced(self, way: Way) -> Way:
        async def send(one: Send) -> Json:
            answer = await way(one)
            await asyncio.sleep(self.pause_seconds)
            return answer

        return send
