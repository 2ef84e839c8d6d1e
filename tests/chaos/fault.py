"""What a fault is: a name, what it lays hands on, and how it begins; beginning gives the way to end it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import Random

from chaos.scene import Scene

Heal = Callable[[], Awaitable[None]]
Inject = Callable[[Scene, Random], Awaitable[Heal | None]]


@dataclass(frozen=True, slots=True)
class Fault:
    """Two that touch the same thing never overlap. It lasts between `seconds`, then is healed; where there is nothing
    to be harmed, `inject` gives None and it does not count.
    """

    name: str
    touches: frozenset[str]
    seconds: tuple[float, float]
    inject: Inject


async def nothing() -> None:
    """Of a fault that is over when it has happened."""
