"""The instances of both services: each has a place with a port of its own, where it is started again after its death.
Who dies without having been killed is remembered: that is a bug, whatever the tables say.
"""

import asyncio
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from daybook_infra.runtime.settings import Settings
from support.processes import PROGRAM, Role, Service, free_port, launch

INSTANCES = 2
STOP_SECONDS = 40
# By the signal itself only while it still starts, and has taken nothing.
ENDED_AS_ASKED = {0, -signal.SIGTERM}


@dataclass(slots=True, eq=False)
class Place:
    role: Role
    number: int
    port: int
    service: Service | None = None
    doomed: bool = False
    veteran: bool = False
    starts: int = 0

    @property
    def name(self) -> str:
        return f"{self.role}-{self.number}"


@dataclass(slots=True)
class Fleet:
    settings: Settings
    folder: Path
    program: Sequence[str] = PROGRAM
    places: list[Place] = field(default_factory=list)
    crashes: list[str] = field(default_factory=list)

    def add(self, role: Role, *, veteran: bool = False) -> Place:
        """A new place, empty."""
        place = Place(role, len(self.of(role)), free_port(), veteran=veteran)
        self.places.append(place)
        return place

    def of(self, role: Role) -> list[Place]:
        return [place for place in self.places if place.role == role]

    def urls(self) -> list[str]:
        """Of those doors that somebody is usually behind."""
        return [f"http://127.0.0.1:{place.port}" for place in self.of("command")[:INSTANCES]]

    def start(self, place: Place, failpoint: str = "") -> Service:
        place.starts += 1
        log = self.folder / f"{place.name}.log"
        place.doomed = bool(failpoint)
        place.service = launch(self.settings, place.role, log, place.port, self.program, DAYBOOK_FAILPOINT=failpoint)
        return place.service

    async def stop(self, place: Place) -> None:
        """As an operator does."""
        service, place.service = place.service, None
        if service is not None and not self._fallen(place, service):
            code = await asyncio.to_thread(service.stop, STOP_SECONDS)
            if code not in ENDED_AS_ASKED:
                self.crashes.append(f"{place.name} was asked to stop and ended with {code}")

    async def kill(self, place: Place) -> None:
        service, place.service = place.service, None
        if service is not None and not self._fallen(place, service):
            await asyncio.to_thread(service.kill)

    async def died(self, place: Place, seconds: float) -> bool:
        """Whether the instance kills itself within the seconds, or while it is stopped after them. Its place is empty
        then.
        """
        service = place.service
        assert service is not None
        with suppress(subprocess.TimeoutExpired):
            await asyncio.to_thread(service.process.wait, seconds)
        code = await asyncio.to_thread(service.stop, STOP_SECONDS)
        place.service = None
        return code == -signal.SIGKILL

    def wake(self) -> None:
        """Whoever was put to sleep goes on, and every place that is usually taken is."""
        for place in self.places:
            if place.service is not None:
                place.service.process.send_signal(signal.SIGCONT)
            elif place.number < INSTANCES:
                self.start(place)

    def look(self) -> None:
        """Remembers, and starts again, who died by itself."""
        for place in self.places:
            if place.service is not None and not place.doomed and self._fallen(place, place.service):
                self.start(place)

    def _fallen(self, place: Place, service: Service) -> bool:
        code = service.process.poll()
        if code is not None:
            self.crashes.append(f"{place.name} ended by itself with {code}\n{service.tail()}")
        return code is not None

    async def ready(self, seconds: float) -> None:
        for place in self.places:
            if place.service is not None:
                await asyncio.to_thread(place.service.wait_ready, seconds)

    async def end(self) -> None:
        running = [place for place in self.places if place.service is not None]
        await asyncio.gather(*(self.stop(place) for place in running))
