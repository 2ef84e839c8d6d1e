"""An instance joins and kills itself at a failpoint (daybook_infra.runtime.failpoints)."""

from functools import partial
from random import Random

from chaos.fault import Fault, Heal, no_heal
from chaos.faults.processes import guest_of
from chaos.scene import Scene
from daybook_infra.runtime.failpoints import Point
from support.processes import Role

# Enough time to start, to get partitions and to reach the failpoint.
DIES_WITHIN_SECONDS = 15.0
POINTS: tuple[tuple[Role, Point], ...] = (
    ("command", "amid-takeover"),
    ("command", "before-append"),
    ("command", "after-append"),
    ("command", "after-ack"),
    ("command", "after-answer"),
    ("projector", "amid-takeover"),
    ("projector", "before-rows"),
    ("projector", "after-rows"),
    ("projector", "after-commit"),
)


async def _die(role: Role, point: Point, scene: Scene, draw: Random) -> Heal | None:
    guest = guest_of(role, scene)
    # A takeover happens once per partition, and the guest may get only one partition.
    passes = 1 if point == "amid-takeover" else draw.choice((1, 1, 2))
    scene.fleet.start(guest, failpoint=f"{point}:{passes}")
    return no_heal if await scene.fleet.kills_itself(guest, DIES_WITHIN_SECONDS) else None


FAILPOINTS = [
    Fault(f"die {role} {point}", frozenset({role}), (0.1, 1.0), partial(_die, role, point)) for role, point in POINTS
]
