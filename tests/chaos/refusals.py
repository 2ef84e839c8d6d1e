"""Judges runs without outages: no command may be refused with the status 503."""

from dataclasses import dataclass, field

from chaos.scene import Scene

MAX_SHOWN = 5


@dataclass(slots=True)
class Refusals:
    """`found`: the bodies of the refusals."""

    found: list[str] = field(default_factory=list)

    async def observe(self, scene: Scene) -> None:
        self.found = scene.history.refusals

    def problems(self) -> list[str]:
        return [f"refused without an outage: {body}" for body in self.found[:MAX_SHOWN]]
