"""An instance that cannot join the group ends its engine before its connections are closed."""

import asyncio
from dataclasses import dataclass, field
from typing import cast

import pytest
from fastapi import FastAPI

from daybook_command.engine.engine import Engine
from daybook_command.kafka.command_subscriber import CommandSubscriber
from daybook_command.main import RunningService, run_opened
from daybook_infra.runtime.errors import DaybookError
from daybook_infra.runtime.health import Health
from daybook_infra.runtime.settings import Settings


@dataclass
class Parts:
    """The engine and the subscriber of an instance that may not join the group. `happened`: the calls, in order."""

    happened: list[str] = field(default_factory=list)

    async def run(self) -> None:
        self.happened.append("engine runs")
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            self.happened.append("engine ended")

    async def drain(self, _: float) -> None:
        self.happened.append("engine drained")

    async def start(self, _: object) -> None:
        await asyncio.sleep(0)
        raise DaybookError("may not join the group")

    async def stop(self) -> None:
        self.happened.append("subscriber stopped")


async def test_an_instance_that_cannot_join_the_group_ends_its_engine() -> None:
    parts = Parts()
    service = RunningService(FastAPI(), cast("Engine", parts), cast("CommandSubscriber", parts), Health())
    with pytest.raises(DaybookError, match="may not join the group"):
        await run_opened(service, Settings(), "127.0.0.1", 0)
    assert parts.happened == ["engine runs", "engine drained", "subscriber stopped", "engine ended"]
