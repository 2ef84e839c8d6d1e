"""Instances of the services are killed, are suspended for longer than their session timeout, join and leave."""

import signal
from functools import partial
from random import Random

from chaos.fault import Fault, Heal
from chaos.fleet import INSTANCES, Slot
from chaos.scene import ROLES, Scene
from support.processes import Role

# Longer than the session timeout of 6 s, so that another instance owns the partitions when this one is resumed.
SUSPENDED_SECONDS = (7.0, 9.0)


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
    )
]
