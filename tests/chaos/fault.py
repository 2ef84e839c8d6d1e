"""A fault: its name, its targets, and a function that injects it and returns another one that heals it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import Random

from chaos.scene import Scene

Heal = Callable[[], Awaitable[None]]
Inject = Callable[[Scene, Random], Awaitable[Heal | None]]


@dataclass(frozen=True, slots=True)
class Fault:
    """Faults with a common target never overlap. `seconds` is the range of a fault's duration; then it is healed. If
    the fault has no effect at this moment, `inject` returns None, and the fault does not count.
    """

    name: str
    targets: frozenset[str]
    seconds: tuple[float, float]
    inject: Inject


async def no_heal() -> None:
    """The `Heal` of a fault that needs no healing."""
