"""Kafka and PostgreSQL are killed and started again. PostgreSQL is also restored from a backup."""

import asyncio
import shutil
import subprocess
from functools import partial
from random import Random

from chaos.fault import Fault, Heal
from chaos.scene import Scene
from daybook_infra.stack.interface import Part
from support.servers import kill, start

# How long PostgreSQL runs between the backup and its restore. What it writes in this time is lost.
LOST_SECONDS = (1.0, 4.0)


async def _kill(part: Part, scene: Scene, draw: Random) -> Heal | None:
    kill(scene.stack, part)
    return partial(start, scene.stack, part)


async def _restore(scene: Scene, draw: Random) -> Heal | None:
    """Copies PostgreSQL's data while the server is stopped. A few seconds later, replaces the data by the copy."""
    stack, part = scene.stack, Part.POSTGRES
    data = stack.home.data.resolve() / part
    backup, replaced = data.with_name("backup"), data.with_name("replaced")
    await asyncio.to_thread(stack.stop, frozenset({part}))
    await asyncio.to_thread(subprocess.check_call, ["cp", "-a", data, backup])
    await start(stack, part)
    await asyncio.sleep(draw.uniform(*LOST_SECONDS))
    await asyncio.to_thread(stack.stop, frozenset({part}))
    data.rename(replaced)
    backup.rename(data)
    shutil.rmtree(replaced)
    return partial(start, stack, part)


SERVERS = [
    *(Fault(f"kill {part}", frozenset({part}), (0.5, 4.0), partial(_kill, part)) for part in Part),
    Fault("restore postgres", frozenset({Part.POSTGRES}), (0.1, 1.0), _restore),
]
