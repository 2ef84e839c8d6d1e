"""What lies between the services and a server fails: connections are cut, refused, half-closed, held up, slow, or lose
what is sent one way. Half of the times all of them, else about half of them, so that instances differ in what they see.
"""

from collections.abc import Callable
from functools import partial
from random import Random

from chaos.fault import Fault, Heal, nothing
from chaos.proxy import FAIR, Way, Weather
from chaos.scene import Scene
from daybook_infra.stack.interface import Part

SHARES = (1.0, 0.5)


async def _cut(part: Part, scene: Scene, draw: Random) -> Heal | None:
    return nothing if scene.proxies[part].cut(draw.choice(SHARES)) else None


async def _half_close(part: Part, scene: Scene, draw: Random) -> Heal | None:
    proxy = scene.proxies[part]
    return partial(_clear, part, scene) if proxy.end(draw.choice(SHARES), draw.choice(list(Way))) else None


async def _turn(weather: Callable[[float], Weather], part: Part, scene: Scene, draw: Random) -> Heal | None:
    scene.proxies[part].turn(weather(draw.choice(SHARES)))
    return partial(_clear, part, scene)


async def _refuse(part: Part, scene: Scene, draw: Random) -> Heal | None:
    share = draw.choice(SHARES)
    scene.proxies[part].turn(Weather(share, refused=True))
    scene.proxies[part].cut(share)
    return partial(_clear, part, scene)


async def _clear(part: Part, scene: Scene) -> None:
    scene.proxies[part].turn(FAIR)


def _slow(share: float) -> Weather:
    return Weather(share, delay=0.15)


def _held(share: float) -> Weather:
    return Weather(share, held=True)


def _unanswered(share: float) -> Weather:
    """Requests arrive and are carried out, and nobody hears of it."""
    return Weather(share, swallowed=frozenset({Way.ANSWERS}))


def _unheard(share: float) -> Weather:
    return Weather(share, swallowed=frozenset({Way.REQUESTS}))


NETWORK = [
    Fault(f"{title} {part}", frozenset({part}), seconds, partial(inject, part))
    for part in Part
    for title, seconds, inject in (
        ("cut", (0.1, 0.5), _cut),
        ("refuse", (1.0, 4.0), _refuse),
        ("half-close", (1.0, 4.0), _half_close),
        ("slow", (2.0, 5.0), partial(_turn, _slow)),
        # Longer than a session, and sometimes than the 10 s that a request may take.
        ("hold", (4.0, 12.0), partial(_turn, _held)),
        ("swallow answers of", (0.5, 4.0), partial(_turn, _unanswered)),
        ("swallow requests to", (0.5, 4.0), partial(_turn, _unheard)),
    )
]
