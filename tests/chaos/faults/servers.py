"""Kafka and PostgreSQL are killed and started again."""

from functools import partial
from random import Random

from chaos.fault import Fault, Heal
from chaos.scene import Scene
from daybook_infra.stack.interface import Part
from support.servers import kill, start


async def _kill(part: Part, scene: Scene, draw: Random) -> Heal | None:
    kill(scene.stack, part)
    return partial(start, scene.stack, part)


SERVERS = [Fault(f"kill {part}", frozenset({part}), (0.5, 4.0), partial(_kill, part)) for part in Part]
