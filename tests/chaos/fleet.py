"""The instances of both services. Each runs in a slot with its own port; after it ends, a new one is started in the
same slot. An instance that ends although nothing killed it is recorded as a crash, which is always a bug.
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
# The exit codes of an instance that was asked to stop. SIGTERM itself ends an instance only while it is still starting.
STOPPED_CODES = {0, -signal.SIGTERM}


@dataclass(slots=True, eq=False)
class Slot:
    role: Role
    number: int
    port: int
    service: Service | None = None
    has_failpoint: bool = False
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
    slots: list[Slot] = field(default_factory=list)
    crashes: list[str] = field(default_factory=list)

    def add(self, role: Role, *, veteran: bool = False) -> Slot:
        """Adds an empty slot."""
        slot = Slot(role, len(self.of(role)), free_port(), veteran=veteran)
        self.slots.append(slot)
        return slot

    def of(self, role: Role) -> list[Slot]:
        return [slot for slot in self.slots if slot.role == role]

    def urls(self) -> list[str]:
        """The URLs of the command service's slots that normally have an instance."""
        return [f"http://127.0.0.1:{slot.port}" for slot in self.of("command")[:INSTANCES]]

    def start(self, slot: Slot, failpoint: str = "") -> Service:
        slot.starts += 1
        log = self.folder / f"{slot.name}.log"
        slot.has_failpoint = bool(failpoint)
        slot.service = launch(self.settings, slot.role, log, slot.port, self.program, DAYBOOK_FAILPOINT=failpoint)
        return slot.service

    async def stop(self, slot: Slot) -> None:
        """Stops the instance as an operator would."""
        service, slot.service = slot.service, None
        if service is not None and not self._has_crashed(slot, service):
            code = await asyncio.to_thread(service.stop, STOP_SECONDS)
            if code not in STOPPED_CODES:
                self.crashes.append(f"{slot.name} was asked to stop and ended with {code}")

    async def kill(self, slot: Slot) -> None:
        service, slot.service = slot.service, None
        if service is not None and not self._has_crashed(slot, service):
            await asyncio.to_thread(service.kill)

    async def kills_itself(self, slot: Slot, seconds: float) -> bool:
        """Whether the instance kills itself within `seconds`, or while it is stopped afterwards. Empties the slot."""
        service = slot.service
        assert service is not None
        with suppress(subprocess.TimeoutExpired):
            await asyncio.to_thread(service.process.wait, seconds)
        code = await asyncio.to_thread(service.stop, STOP_SECONDS)
        slot.service = None
        return code == -signal.SIGKILL

    def resume(self) -> None:
        """Resumes suspended instances, and starts one in each empty slot that normally has an instance."""
        for slot in self.slots:
            if slot.service is not None:
                slot.service.process.send_signal(signal.SIGCONT)
            elif slot.number < INSTANCES:
                self.start(slot)

    def restart_crashed(self) -> None:
        """Records crashed instances and starts them again."""
        for slot in self.slots:
            if slot.service is not None and not slot.has_failpoint and self._has_crashed(slot, slot.service):
                self.start(slot)

    def _has_crashed(self, slot: Slot, service: Service) -> bool:
        code = service.process.poll()
        if code is not None:
            self.crashes.append(f"{slot.name} ended by itself with {code}\n{service.tail()}")
        return code is not None

    async def ready(self, seconds: float) -> None:
        for slot in self.slots:
            if slot.service is not None:
                await asyncio.to_thread(slot.service.wait_ready, seconds)

    async def stop_all(self) -> None:
        running = [slot for slot in self.slots if slot.service is not None]
        await asyncio.gather(*(self.stop(slot) for slot in running))
