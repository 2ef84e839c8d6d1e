"""Somebody who keeps sending valid commands while others misbehave, and remembers how each was answered."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from support.driving import Tenant, eventually
from support.publisher import Door

PAUSE_SECONDS = 0.05
LEAST = 10
LONGEST_SECONDS = 1.0
"""Nobody waits longer because of somebody else. (A quiet machine answers in a tenth of it; a busy one may not.)"""


@dataclass(slots=True)
class Bystander:
    """`tenants`: orgs of its own, one in each partition, whose owner renames them in turn."""

    door: Door
    tenants: list[Tenant]
    seconds: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    async def send(self) -> None:
        number = len(self.seconds)
        tenant = self.tenants[number % len(self.tenants)]
        began = time.perf_counter()
        answer = await self.door.send(tenant.rename(f"Name {number}"))
        self.seconds.append(time.perf_counter() - began)
        if answer.status_code != 200:
            self.wrong.append(f"{answer.status_code} {answer.text}")

    async def has_sent(self, commands: int) -> bool:
        return len(self.seconds) >= commands

    async def keep_sending(self) -> None:
        while True:
            await self.send()
            await asyncio.sleep(PAUSE_SECONDS)


@asynccontextmanager
async def undisturbed(bystander: Bystander) -> AsyncIterator[None]:
    """Whatever happens meanwhile, each of the bystander's commands is answered in time; some come before and after."""
    for _ in range(10):
        await bystander.send()
    usual = max(bystander.seconds)
    bystander.seconds.clear()
    sending = asyncio.create_task(bystander.keep_sending())
    try:
        yield
        await eventually(lambda: bystander.has_sent(LEAST))
    finally:
        sending.cancel()
        await asyncio.wait([sending])
    await bystander.send()
    assert not bystander.wrong, bystander.wrong[:3]
    # A machine that is slow without any attacker is allowed that much more.
    assert max(bystander.seconds) < LONGEST_SECONDS + usual, f"{max(bystander.seconds):.2f} s, usually {usual:.2f} s"
