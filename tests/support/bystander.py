"""A client that keeps sending valid commands while others misbehave, and records how each was answered."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx

from support.driving import Tenant, eventually
from support.publisher import Door

PAUSE_SECONDS = 0.05
LEAST = 10
AFTERWARDS_SECONDS = 60
LONGEST_SECONDS = 1.0
"""Nobody waits longer because of somebody else. (A quiet machine answers in a tenth of it; a busy one may not.)"""


@dataclass(frozen=True, slots=True)
class Answered:
    began: float
    seconds: float
    fault: str | None


@dataclass(slots=True)
class Bystander:
    """`tenants`: orgs of its own, one in each partition, whose owner renames them in turn. `usual`: the longest that it
    waits while nobody misbehaves, looked at once.
    """

    door: Door
    tenants: list[Tenant]
    usual: float = 0.0
    answered: list[Answered] = field(default_factory=list)

    async def look_around(self) -> None:
        for _ in range(2 * LEAST):
            await self.send()
        self.usual = max(one.seconds for one in self.answered)
        assert self.usual < LONGEST_SECONDS, f"{self.usual:.2f} s before anybody misbehaved"
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
        """Returns once the last command is answered."""
        while not stop.is_set():
            await self.send()
            await asyncio.sleep(PAUSE_SECONDS)

    async def has_sent_since(self, moment: float) -> bool:
        return sum(one.began >= moment for one in self.answered) >= LEAST

    def check(self) -> None:
        """Every answer so far was a success and in time. A generally slow machine gets more time."""
        faults = [one.fault for one in self.answered if one.fault is not None]
        assert not faults, faults[:3]
        longest = max(one.seconds for one in self.answered)
        assert longest < LONGEST_SECONDS + self.usual, f"{longest:.2f} s, usually {self.usual:.2f} s"


@asynccontextmanager
async def undisturbed(bystander: Bystander) -> AsyncIterator[None]:
    """Whatever happens meanwhile, each of the bystander's commands is answered in time; so are those that come when it
    is over, behind what it left in the partitions.
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
