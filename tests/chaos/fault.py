"""What a fault is: a name, its targets, and a function that injects it and returns a function that heals it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import Random

from chaos.scene import Scene

Heal = Callable[[], Awaitable[None]]
Inject = Callable[[Scene, Random], Awaitable[Heal | None]]


@dataclass(frozen=True, slots=True)
class Fault:
    """Faults with a common target never overlap. A fault lasts between `seconds` and is then healed. If there is
    nothing to harm, `inject` returns None and the fault does not count.
    """

    name: str
    targets: frozenset[str]
    seconds: tuple[float, float]
    inject: Inject


async def no_heal() -> None:
    """The `Heal` of a fault that needs no healing."""
