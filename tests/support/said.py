"""What a system says of itself and answers to others: health of both services, `daybook status`, the door."""

import asyncio
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import httpx

from daybook_infra.runtime.settings import Settings
from support.chain import Json
from support.driving import eventually
from support.processes import Service, System
from support.publisher import Door, Send, item
from support.shell import at_a_shell

SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Health:
    """`reasons`: why it is not ready, by condition; none if it is."""

    reasons: dict[str, str]
    notes: dict[str, str] = field(default_factory=dict)


async def health(service: Service) -> Health:
    """Whatever is away, the process itself answers: it is alive, and its metrics are there."""
    async with httpx.AsyncClient(timeout=20, trust_env=False) as client:
        alive, ready, metrics = await asyncio.gather(
            *(client.get(f"{service.url}/{page}") for page in ("livez", "readyz", "metrics"))
        )
    assert (alive.status_code, metrics.status_code) == (200, 200)
    said: Json = ready.json()
    assert (ready.status_code, said["status"]) == ((503, "unready") if said["reasons"] else (200, "ready"))
    return Health(said["reasons"], said.get("notes", {}))


async def until_unready(condition: str, reason: str, *services: Service, seconds: float = SECONDS) -> None:
    """Until each of them has a reason against the condition with these words in it."""

    async def is_said() -> bool:
        found = [(await health(service)).reasons for service in services]
        return all(condition in reasons and reason in reasons[condition] for reasons in found)

    await eventually(is_said, seconds)


async def until_serving(service: Service, seconds: float = SECONDS) -> None:
    """Until an instance that has just been started can be asked."""

    async def is_serving() -> bool:
        with suppress(httpx.TransportError):
            await health(service)
            return True
        return False

    await eventually(is_serving, seconds)


async def until_ready(system: System, seconds: float = SECONDS) -> None:
    await asyncio.to_thread(system.wait_ready, seconds)


@dataclass(frozen=True, slots=True)
class Told:
    """What the door says, each as status and code: to a command, to each of a batch, and of one decided before."""

    one: str
    batch: tuple[str, ...]
    outcome: str


async def ask(door: Door, one: Send, batch: Sequence[Send], before: Send) -> Told:
    """All at once; `one` and `batch` are new commands."""
    body = b"[" + b",".join(send.body for send in batch) + b"]"
    single, many, outcome = await asyncio.gather(
        door.send(one), door.post("/v1/commands:batch", body, batch[0].principal), door.outcome(before)
    )
    assert many.status_code == 200, many.text
    return Told(word(item(single)), tuple(word(each) for each in many.json()), word(item(outcome)))


def word(said: Json) -> str:
    """`200`, `202`, or the status with its code."""
    return f"{said['status']} {said['code']}" if "code" in said else str(said["status"])


async def status(settings: Settings) -> dict[str, Any]:
    """What `daybook status` shows."""
    shown = await at_a_shell(settings, "status", "--json")
    assert (shown.code, shown.complained) == (0, ""), shown
    found: dict[str, Any] = json.loads(shown.said)
    return found


async def status_refuses(settings: Settings) -> str:
    """The one line with which `daybook status` says that a server is away."""
    shown = await at_a_shell(settings, "status")
    assert (shown.code, shown.said, shown.complained.count("\n")) == (1, "", 1), shown
    return shown.complained
