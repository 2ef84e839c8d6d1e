"""Kafka and PostgreSQL are killed and started again: what they acknowledged is in the page cache, and outlives them."""

import asyncio
from functools import partial
from random import Random

import psutil

from chaos.fault import Fault, Heal
from chaos.scene import Scene
from daybook_infra.stack.interface import Part, StackError
from daybook_infra.stack.places import Home
from daybook_infra.stack.processes import read_pid

TRIES = 20
PAUSE_SECONDS = 0.5
PID_FILES = {Part.KAFKA: "kafka.pid", Part.POSTGRES: "postgres/postmaster.pid"}


async def _kill(part: Part, scene: Scene, draw: Random) -> Heal | None:
    psutil.Process(_pid(scene.stack.home, part)).kill()
    return partial(_start, part, scene)


def _pid(home: Home, part: Part) -> int:
    pid = read_pid(home.data / PID_FILES[part])
    assert pid is not None
    return pid


async def _start(part: Part, scene: Scene) -> None:
    """Backends that have not noticed yet hold PostgreSQL's memory: its next start is refused until they are gone."""
    for _ in range(TRIES):
        try:
            await asyncio.to_thread(scene.stack.start, frozenset({part}))
        except StackError:
            await asyncio.sleep(PAUSE_SECONDS)
        else:
            return
    await asyncio.to_thread(scene.stack.start, frozenset({part}))


SERVERS = [Fault(f"kill {part}", frozenset({part}), (0.5, 4.0), partial(_kill, part)) for part in Part]
