"""Sends one random workload after another, each with its own orgs, until it is told to stop."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import cycle

import asyncpg

from chaos.publishers import Publishers
from daybook_infra.runtime.settings import Settings
from support.chain import Json
from support.driving import Way, eventually, fresh_id, open_database, send_all
from support.publisher import Send
from support.workload import SERVICE, Workload, command

AT_ONCE = 32
# Bounds the number of commands that must be judged afterwards. A run tests faults, not load.
PAUSE_SECONDS = 0.1
# Few enough that the generator does not reuse ids of other orgs (support.workload.LONG_AGO). Otherwise the model would
# have to know which org chose an id first, and the logs of two partitions do not show that.
COMMANDS = 700
SERIES = 3
"""The number of commands in a request with several."""
SERIES_AT_ONCE = 4
"""The number of such requests at a time."""


@dataclass(slots=True)
class Traffic:
    settings: Settings
    seed: int
    publishers: Publishers
    pause_seconds: float = PAUSE_SECONDS
    started: asyncio.Event = field(default_factory=asyncio.Event)
    stop_requested: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        publishers = self.publishers
        persistent = [self._paced(way) for way in (publishers.insist, publishers.trust, publishers.publish)]
        ways = [*persistent, self._paced(publishers.believe)]
        wave = 0
        while not self.stop_requested.is_set():
            workload = Workload(self.seed * 1000 + wave, orgs=15, users=20, commands=COMMANDS)
            registered = await send_all(workload.registrations, persistent, at_once=AT_ONCE)
            await self._wait_until_projected([answer["position"] for _, answer in registered])
            self.started.set()
            async with asyncio.TaskGroup() as group:
                sending = group.create_task(send_all(self._until_stopped(workload.sends), ways, at_once=AT_ONCE))
                keys = sorted({send.key for send in workload.distinct})
                for number in range(SERIES_AT_ONCE):
                    group.create_task(self._send_series(keys[number::SERIES_AT_ONCE], sending))
            wave += 1

    async def _send_series(self, keys: Sequence[str], sending: "asyncio.Task[object]") -> None:
        """Sends a few commands per request, to one org after another, while others are sent. These few are rejected."""
        for key in cycle(keys):
            if sending.done():
                return
            renames = [command("RENAME_ORG", key, None, fresh_id(), name=str(number)) for number in range(SERIES)]
            await self.publishers.send_series([Send(SERVICE, each) for each in renames])
            await asyncio.sleep(self.pause_seconds)

    def _until_stopped(self, sends: Sequence[Send]) -> Iterator[Send]:
        for send in sends:
            if self.stop_requested.is_set():
                return
            yield send

    async def _wait_until_projected(self, positions: Sequence[str]) -> None:
        """Waits until the users are projected; only then may commands name them."""
        for position in positions:
            await eventually(partial(self._is_projected, position), self.publishers.patience_seconds)

    async def _is_projected(self, position: str) -> bool:
        try:
            async with open_database(self.settings) as connection:
                return bool(await connection.fetchval("select daybook.wait_for($1, interval '5 seconds')", position))
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return False

    def _paced(self, way: Way) -> Way:
        async def send(one: Send) -> Json:
            answer = await way(one)
            await asyncio.sleep(self.pause_seconds)
            return answer

        return send
