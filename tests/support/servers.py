"""Kills a stack's servers and starts them again. Acknowledged writes survive in the operating system's page cache."""

import asyncio
import time

import psutil

from daybook_infra.stack.embedded import EmbeddedStack
from daybook_infra.stack.interface import Part, StackError
from daybook_infra.stack.places import Home
from daybook_infra.stack.processes import has_ended, read_pid

TRIES = 20
PAUSE_SECONDS = 0.5
PID_FILES = {Part.KAFKA: "kafka.pid", Part.POSTGRES: "postgres/postmaster.pid"}


def kill(stack: EmbeddedStack, part: Part) -> None:
    """Returns when the server is dead. Before that, `start` would believe that it still runs."""
    process = psutil.Process(_pid(stack.home, part))
    process.kill()
    while not has_ended(process):
        time.sleep(0.01)


def _pid(home: Home, part: Part) -> int:
    pid = read_pid(home.data / PID_FILES[part])
    assert pid is not None
    return pid


async def start(stack: EmbeddedStack, part: Part) -> None:
    """Starts the server. PostgreSQL refuses to start while old backends still use its shared memory, so this
    retries.
    """
    for _ in range(TRIES):
        try:
            await asyncio.to_thread(stack.start, frozenset({part}))
        except StackError:
            await asyncio.sleep(PAUSE_SECONDS)
        else:
            return
    await asyncio.to_thread(stack.start, frozenset({part}))
