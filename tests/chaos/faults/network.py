"""Network faults between the services and a server: connections are cut, refused, half-closed, held or slow, or lose
data in one direction. A fault affects all connections or about half of them, so that it may affect only some instances.
"""

from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from random import Random

from chaos.fault import Fault, Heal, no_heal
from chaos.proxy import NORMAL, Behaviour, Direction
from chaos.scene import Scene
from daybook_infra.stack.interface import Part

SHARES = (1.0, 0.5)
# The names with which the command service connects to Kafka, to publish commands that it got over HTTP, and to
# PostgreSQL, to look up what shards need.
DOOR, SHARDS = b"daybook-command-door", b"daybook-command"
HELD_DOORS, HELD_SHARDS = Behaviour(held=True, only=DOOR), Behaviour(held=True, only=SHARDS)


async def _cut(part: Part, scene: Scene, draw: Random) -> Heal | None:
    return no_heal if scene.proxies[part].cut(draw.choice(SHARES)) else None


async def _half_close(part: Part, scene: Scene, draw: Random) -> Heal | None:
    proxy = scene.proxies[part]
    return partial(_clear, part, scene) if proxy.half_close(draw.choice(SHARES), draw.choice(list(Direction))) else None


async def _behave_for_some(behaviour: Behaviour, part: Part, scene: Scene, draw: Random) -> Heal | None:
    """Affects the connections that the behaviour names."""
    proxy = scene.proxies[part]
    if not proxy.serves(behaviour.only):
        return None
    proxy.behave(behaviour)
    return partial(_clear, part, scene)


async def _hold_both(scene: Scene, _: Random) -> Heal | None:
    """Holds what doors send to Kafka and what shards send to PostgreSQL."""
    behaviours = {Part.KAFKA: HELD_DOORS, Part.POSTGRES: HELD_SHARDS}
    if not all(scene.proxies[part].serves(each.only) for part, each in behaviours.items()):
        return None
    for part, each in behaviours.items():
        scene.proxies[part].behave(each)
    return partial(_clear_all, behaviours, scene)


async def _behave(behaviour: Behaviour, part: Part, scene: Scene, draw: Random) -> Heal | None:
    share = draw.choice(SHARES)
    scene.proxies[part].behave(replace(behaviour, share=share))
    if behaviour.refused:
        scene.proxies[part].cut(share)
    return partial(_clear, part, scene)


async def _clear(part: Part, scene: Scene) -> None:
    scene.proxies[part].behave(NORMAL)


async def _clear_all(parts: Iterable[Part], scene: Scene) -> None:
    for part in parts:
        await _clear(part, scene)


NETWORK = [
    *(
        Fault(f"{title} {part}", frozenset({part}), seconds, partial(inject, part))
        for part in Part
        for title, seconds, inject in (
            ("cut", (0.1, 0.5), _cut),
            ("refuse", (1.0, 4.0), partial(_behave, Behaviour(refused=True))),
            ("half-close", (1.0, 4.0), _half_close),
            ("slow", (2.0, 5.0), partial(_behave, Behaviour(delay=0.15))),
            # Mostly longer than the session timeout of 6 s, and sometimes longer than the request timeout of 10 s.
            ("hold", (4.0, 12.0), partial(_behave, Behaviour(held=True))),
            # The server carries out requests, but its answers are lost.
            ("swallow answers of", (0.5, 4.0), partial(_behave, Behaviour(swallowed=frozenset({Direction.ANSWERS})))),
            ("swallow requests to", (0.5, 4.0), partial(_behave, Behaviour(swallowed=frozenset({Direction.REQUESTS})))),
        )
    ),
    Fault(
        "hold kafka for doors",
        frozenset({Part.KAFKA}),
        # Long enough for two attempts to publish, of up to 5 s each. The outcome of the first one is unknown. The
        # second one needs a new producer, so it certainly fails.
        (11.0, 15.0),
        partial(_behave_for_some, HELD_DOORS, Part.KAFKA),
    ),
    Fault(
        "hold postgres for shards",
        frozenset({Part.POSTGRES}),
        # Longer than half of DAYBOOK_WAIT_SECONDS, after which doors publish what shards hold, but not longer than all.
        (3.0, 4.5),
        partial(_behave_for_some, HELD_SHARDS, Part.POSTGRES),
    ),
    Fault(
        "slow postgres for shards",
        frozenset({Part.POSTGRES}),
        (2.0, 5.0),
        partial(_behave_for_some, Behaviour(delay=0.15, only=SHARDS), Part.POSTGRES),
    ),
]
HOLD_BOTH = Fault(
    "hold kafka for doors and postgres for shards",
    frozenset({Part.KAFKA, Part.POSTGRES}),
    (12.0, 14.0),
    _hold_both,
)
"""For a hunt with a DAYBOOK_WAIT_SECONDS of 12. Doors publish what shards hold after half of that. A first attempt has
failed by then, so this attempt certainly fails, while batches have some of the commands.
"""
