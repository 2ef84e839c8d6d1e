"""Instances of the services are killed, sleep through their session, come and go."""

import signal
from functools import partial
from random import Random

from chaos.fault import Fault, Heal
from chaos.fleet import INSTANCES, Place
from chaos.scene import ROLES, Scene
from support.processes import Role

# Past the session timeout of 6 s: somebody else owns the partitions when the sleeper wakes up.
ASLEEP_SECONDS = (7.0, 9.0)


async def _kill(role: Role, scene: Scene, draw: Random) -> Heal | None:
    place = _mortal(role, scene, draw)
    await scene.fleet.kill(place)

    async def heal() -> None:
        scene.fleet.start(place)

    return heal


async def _suspend(role: Role, scene: Scene, draw: Random) -> Heal | None:
    service = _one(role, scene, draw).service
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
    place = _mortal(role, scene, draw)
    await scene.fleet.stop(place)

    async def heal() -> None:
        scene.fleet.start(place)

    return heal


def _one(role: Role, scene: Scene, draw: Random) -> Place:
    return draw.choice(scene.fleet.of(role)[:INSTANCES])


def _mortal(role: Role, scene: Scene, draw: Random) -> Place:
    return draw.choice([place for place in scene.fleet.of(role)[:INSTANCES] if not place.veteran])


def guest_of(role: Role, scene: Scene) -> Place:
    """The place of one more instance than there usually are; empty between faults."""
    places = scene.fleet.of(role)
    return places[INSTANCES] if len(places) > INSTANCES else scene.fleet.add(role)


PROCESSES = [
    Fault(f"{title} {role}", frozenset({role}), seconds, partial(inject, role))
    for role in ROLES
    for title, seconds, inject in (
        ("kill", (0.5, 3.0), _kill),
        ("suspend", ASLEEP_SECONDS, _suspend),
        ("join", (3.0, 6.0), _join),
        ("leave", (0.5, 3.0), _leave),
    )
]
