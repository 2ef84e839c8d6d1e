"""A client that keeps sending valid commands while other clients misbehave, and records each answer and its time."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx

from support.driving import Tenant, eventually
from support.publisher import Door

PAUSE_SECONDS = 0.05
MIN_COMMANDS = 10
AFTERWARDS_SECONDS = 60
MAX_SECONDS = 1.0
"""How much longer an answer may take because of other clients. Idle machines need a tenth of this, busy ones more."""


@dataclass(frozen=True, slots=True)
class Answered:
    began: float
    seconds: float
    fault: str | None


@dataclass(slots=True)
class Bystander:
    """Renames the orgs in `tenants` in turn; there is one in each partition. `usual`: the longest time in seconds that
    an answer took before anybody misbehaved.
    """

    door: Door
    tenants: list[Tenant]
    usual: float = 0.0
    answered: list[Answered] = field(default_factory=list)

    async def measure_usual(self) -> None:
        for _ in range(2 * MIN_COMMANDS):
            await self.send()
        self.usual = max(one.seconds for one in self.answered)
        assert self.usual < MAX_SECONDS, f"{self.usual:.2f} s before anybody misbehaved"
        self.check()

    async def send(self) -> None:
        number = len(self.answered)
        tenant = self.tenants[number % len(self.tenants)]
        began = time.perf_counter()
        try:
            answer = await self.door.send(tenant.rename(f"Name {number}"))
            fault = None if answer.status_code == 200 else f"{answer.status_code} {answer.text}"
        except httpx.TransportError as error:
            fault = repr(error)
        self.answered.append(Answered(began, time.perf_counter() - began, fault))

    async def keep_sending(self, stop: asyncio.Event) -> None:
        """Sends until `stop` is set, and returns when the last command is answered."""
        while not stop.is_set():
            await self.send()
            await asyncio.sleep(PAUSE_SECONDS)

    async def has_sent_since(self, moment: float) -> bool:
        return sum(one.began >= moment for one in self.answered) >= MIN_COMMANDS

    def check(self) -> None:
        """Asserts that every answer was a success and in time. On a machine that is slow anyway, more time is
        allowed.
        """
        faults = [one.fault for one in self.answered if one.fault is not None]
        assert not faults, faults[:3]
        longest = max(one.seconds for one in self.answered)
        assert longest < MAX_SECONDS + self.usual, f"{longest:.2f} s, usually {self.usual:.2f} s"


@asynccontextmanager
async def undisturbed(bystander: Bystander) -> AsyncIterator[None]:
    """Checks that each of the bystander's commands is answered in time: while the block runs, and afterwards, behind
    the records that the block left in the partitions.
    """
    bystander.answered.clear()
    stop = asyncio.Event()
    sending = asyncio.create_task(bystander.keep_sending(stop))
    try:
        yield
        over = time.perf_counter()
        await eventually(lambda: bystander.has_sent_since(over), AFTERWARDS_SECONDS)
    finally:
        stop.set()
        await sending
    bystander.check()
