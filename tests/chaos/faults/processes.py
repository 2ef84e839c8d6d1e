"""Instances of the services are killed, suspended for longer than their session timeout, or suspended again and again
for a moment; they join and leave.
"""

import asyncio
import signal
from functools import partial
from random import Random

from chaos.fault import Fault, Heal, no_heal
from chaos.fleet import INSTANCES, Slot
from chaos.scene import ROLES, Scene
from support.processes import Role

# Longer than the session timeout of 6 s, so that another instance owns the partitions when this one is resumed.
SUSPENDED_SECONDS = (7.0, 9.0)
# How often stuttering instances stand still, and how long they stand still and then run.
STUTTERS, STILL_SECONDS, MOVING_SECONDS = 8, (0.2, 1.2), (0.1, 0.4)


async def _kill(role: Role, scene: Scene, draw: Random) -> Heal | None:
    slot = _non_veteran(role, scene, draw)
    await scene.fleet.kill(slot)
    return partial(_start, slot, scene)


async def _suspend(role: Role, scene: Scene, draw: Random) -> Heal | None:
    service = _any_slot(role, scene, draw).service
    if service is None or service.process.poll() is not None:
        return None
    service.process.send_signal(signal.SIGSTOP)

    async def heal() -> None:
        service.process.send_signal(signal.SIGCONT)

    return heal


async def _stutter(role: Role, scene: Scene, draw: Random) -> Heal:
    """Suspends all instances of the role together, several times, each time for a moment. While the projectors stand
    still, the log grows; as soon as they run, checkpoints move over many entries at once.
    """
    for _ in range(STUTTERS):
        _signal(role, scene, signal.SIGSTOP)
        await asyncio.sleep(draw.uniform(*STILL_SECONDS))
        _signal(role, scene, signal.SIGCONT)
        await asyncio.sleep(draw.uniform(*MOVING_SECONDS))
    return no_heal


def _signal(role: Role, scene: Scene, number: signal.Signals) -> None:
    for slot in scene.fleet.of(role):
        if slot.service is not None:
            slot.service.process.send_signal(number)


async def _join(role: Role, scene: Scene, draw: Random) -> Heal | None:
    guest = guest_of(role, scene)
    scene.fleet.start(guest)
    return partial(scene.fleet.stop, guest)


async def _leave(role: Role, scene: Scene, draw: Random) -> Heal | None:
    slot = _non_veteran(role, scene, draw)
    await scene.fleet.stop(slot)
    return partial(_start, slot, scene)


async def _start(slot: Slot, scene: Scene) -> None:
    scene.fleet.start(slot)


def _any_slot(role: Role, scene: Scene, draw: Random) -> Slot:
    return draw.choice(scene.fleet.of(role)[:INSTANCES])


def _non_veteran(role: Role, scene: Scene, draw: Random) -> Slot:
    return draw.choice([slot for slot in scene.fleet.of(role)[:INSTANCES] if not slot.veteran])


def guest_of(role: Role, scene: Scene) -> Slot:
    """The slot for an additional instance. It is empty between faults."""
    slots = scene.fleet.of(role)
    return slots[INSTANCES] if len(slots) > INSTANCES else scene.fleet.add(role)


PROCESSES = [
    Fault(f"{title} {role}", frozenset({role}), seconds, partial(inject, role))
    for role in ROLES
    for title, seconds, inject in (
        ("kill", (0.5, 3.0), _kill),
        ("suspend", SUSPENDED_SECONDS, _suspend),
        ("join", (3.0, 6.0), _join),
        ("leave", (0.5, 3.0), _leave),
        ("stutter", (0.1, 0.5), _stutter),
    )
]
