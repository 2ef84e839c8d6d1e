"""Reads what a system reports: the health of its services, `daybook status`, and the door's answers."""

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
from support.processes import Role, Service, System
from support.publisher import Door, Send, item
from support.shell import run_daybook

SECONDS = 60.0
ROLES: tuple[Role, ...] = ("command", "projector")


@dataclass(frozen=True, slots=True)
class Health:
    """`reasons`: why the service is not ready, by condition; empty if it is ready."""

    reasons: dict[str, str]
    notes: dict[str, str] = field(default_factory=dict)


async def health(service: Service) -> Health:
    """The service's health. Also asserts that the process is alive and serves metrics, which it must do even during
    an outage.
    """
    async with httpx.AsyncClient(timeout=20, trust_env=False) as client:
        # Sent one after another: if one of several concurrent requests fails, the client closes while others connect.
        alive, ready, metrics = [await client.get(f"{service.url}/{page}") for page in ("livez", "readyz", "metrics")]
    assert (alive.status_code, metrics.status_code) == (200, 200)
    report: Json = ready.json()
    assert (ready.status_code, report["status"]) == ((503, "unready") if report["reasons"] else (200, "ready"))
    return Health(report["reasons"], report.get("notes", {}))


async def until_unready(condition: str, reason: str, *services: Service, seconds: float = SECONDS) -> None:
    """Waits until each service reports this condition, with a reason that contains these words."""

    async def is_reported() -> bool:
        found = [(await health(service)).reasons for service in services]
        return all(condition in reasons and reason in reasons[condition] for reasons in found)

    await eventually(is_reported, seconds)


async def until_serving(service: Service, seconds: float = SECONDS) -> None:
    """Waits until an instance that was just started answers requests."""

    async def is_serving() -> bool:
        with suppress(httpx.TransportError):
            await health(service)
            return True
        return False

    await eventually(is_serving, seconds)


async def until_ready(system: System, seconds: float = SECONDS) -> None:
    await asyncio.to_thread(system.wait_ready, seconds)


async def restart(system: System) -> None:
    """Stops all services, and starts one of each. Waits until they answer requests, but not until they are ready."""
    system.stop()
    system.commands.clear()
    system.projectors.clear()
    for role in ROLES:
        await until_serving(system.start(role))


@dataclass(frozen=True, slots=True)
class Answers:
    """The door's answers, as status and code: to a command, to each command of a batch, and to a request for the
    outcome of an earlier command.
    """

    one: str
    batch: tuple[str, ...]
    outcome: str


async def ask(door: Door, one: Send, batch: Sequence[Send], before: Send) -> Answers:
    """Sends the new commands `one` and `batch`, and asks for the outcome of `before`, all at the same time."""
    body = b"[" + b",".join(send.body for send in batch) + b"]"
    single, many, outcome = await asyncio.gather(
        door.send(one), door.post("/v1/commands:batch", body, batch[0].principal), door.outcome(before)
    )
    assert many.status_code == 200, many.text
    return Answers(code_of(item(single)), tuple(code_of(each) for each in many.json()), code_of(item(outcome)))


def code_of(answer: Json) -> str:
    """The status, such as `200`, or the status and the code of a problem."""
    return f"{answer['status']} {answer['code']}" if "code" in answer else str(answer["status"])


async def status(settings: Settings) -> dict[str, Any]:
    """The JSON that `daybook status` prints."""
    shown = await run_daybook(settings, "status", "--json")
    assert (shown.code, shown.stderr) == (0, ""), shown
    found: dict[str, Any] = json.loads(shown.stdout)
    return found


async def status_refuses(settings: Settings) -> str:
    """The one line in which `daybook status` reports that a server cannot be reached."""
    shown = await run_daybook(settings, "status")
    assert (shown.code, shown.stdout, shown.stderr.count("\n")) == (1, "", 1), shown
    return shown.stderr
