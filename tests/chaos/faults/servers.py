"""Kafka and PostgreSQL are killed and started again. PostgreSQL is also restored from a backup."""

import asyncio
import shutil
import subprocess
from functools import partial
from random import Random

from chaos.fault import Fault, Heal
from chaos.scene import Scene
from daybook_infra.stack.interface import Part
from support.driving import open_database
from support.servers import kill, start

# How long PostgreSQL runs between the backup and its restore. What it writes in this time is lost.
LOST_SECONDS = (1.0, 4.0)


async def _kill(part: Part, scene: Scene, draw: Random) -> Heal | None:
    kill(scene.stack, part)
    return partial(start, scene.stack, part)


async def _restore(scene: Scene, draw: Random) -> Heal | None:
    """Copies PostgreSQL's data while the server is stopped. A few seconds later, replaces the data by the copy; but not
    if it lacks users by now. Until they are projected again, a shard would decide as if nobody had registered them
    (docs/operations.md, "PostgreSQL was restored"), unlike the model.
    """
    stack, part = scene.stack, Part.POSTGRES
    data = stack.home.data.resolve() / part
    backup, replaced = data.with_name("backup"), data.with_name("replaced")
    users = await _count_users(scene)
    await asyncio.to_thread(stack.stop, frozenset({part}))
    await asyncio.to_thread(subprocess.check_call, ["cp", "-a", data, backup])
    await start(stack, part)
    await asyncio.sleep(draw.uniform(*LOST_SECONDS))
    if await _count_users(scene) != users:
        shutil.rmtree(backup)
        return None
    await asyncio.to_thread(stack.stop, frozenset({part}))
    data.rename(replaced)
    backup.rename(data)
    shutil.rmtree(replaced)
    return partial(start, stack, part)


async def _count_users(scene: Scene) -> int:
    async with open_database(scene.settings) as connection:
        found: int = await connection.fetchval("SELECT count(*) FROM auth.users")
    return found


SERVERS = [
    *(Fault(f"kill {part}", frozenset({part}), (0.5, 4.0), partial(_kill, part)) for part in Part),
    Fault("restore postgres", frozenset({Part.POSTGRES}), (0.1, 1.0), _restore),
]
