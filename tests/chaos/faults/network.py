"""Network faults between the services and a server: connections are cut, refused, half-closed, held or slow, or lose
data in one direction. A fault hits all connections or about half of them, so that instances may see different things.
"""

from collections.abc import Callable
from functools import partial
from random import Random

from chaos.fault import Fault, Heal, no_heal
from chaos.proxy import NORMAL, Behaviour, Direction
from chaos.scene import Scene
from daybook_infra.stack.interface import Part

SHARES = (1.0, 0.5)


async def _cut(part: Part, scene: Scene, draw: Random) -> Heal | None:
    return no_heal if scene.proxies[part].cut(draw.choice(SHARES)) else None


async def _half_close(part: Part, scene: Scene, draw: Random) -> Heal | None:
    proxy = scene.proxies[part]
    return partial(_clear, part, scene) if proxy.half_close(draw.choice(SHARES), draw.choice(list(Direction))) else None


async def _behave(behaviour: Callable[[float], Behaviour], part: Part, scene: Scene, draw: Random) -> Heal | None:
    scene.proxies[part].behave(behaviour(draw.choice(SHARES)))
    return partial(_clear, part, scene)


async def _refuse(part: Part, scene: Scene, draw: Random) -> Heal | None:
    share = draw.choice(SHARES)
    scene.proxies[part].behave(Behaviour(share, refused=True))
    scene.proxies[part].cut(share)
    return partial(_clear, part, scene)


async def _clear(part: Part, scene: Scene) -> None:
    scene.proxies[part].behave(NORMAL)


def _slow(share: float) -> Behaviour:
    return Behaviour(share, delay=0.15)


def _held(share: float) -> Behaviour:
    return Behaviour(share, held=True)


def _without_answers(share: float) -> Behaviour:
    """Requests arrive and are carried out, but their answers are lost."""
    return Behaviour(share, swallowed=frozenset({Direction.ANSWERS}))


def _without_requests(share: float) -> Behaviour:
    return Behaviour(share, swallowed=frozenset({Direction.REQUESTS}))


NETWORK = [
    Fault(f"{title} {part}", frozenset({part}), seconds, partial(inject, part))
    for part in Part
    for title, seconds, inject in (
        ("cut", (0.1, 0.5), _cut),
        ("refuse", (1.0, 4.0), _refuse),
        ("half-close", (1.0, 4.0), _half_close),
        ("slow", (2.0, 5.0), partial(_behave, _slow)),
        # Longer than a session, and sometimes longer than the request timeout of 10 s.
        ("hold", (4.0, 12.0), partial(_behave, _held)),
        ("swallow answers of", (0.5, 4.0), partial(_behave, _without_answers)),
        ("swallow requests to", (0.5, 4.0), partial(_behave, _without_requests)),
    )
]
