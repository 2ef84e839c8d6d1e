"""The hub of the live streams while its database answers slowly or not at all, on a clock that jumps."""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import pytest

from daybook_projector.read_api.stream.open_stream import End, OpenStream
from support.hub_world import World


class Clock(selectors.DefaultSelector):
    """Lets an event loop jump to its next timer."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.now += timeout or 0
        return super().select(0)


class ClockedLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self.clock = Clock()
        super().__init__(self.clock)

    def time(self) -> float:
        return self.clock.now


def run_clocked(monkeypatch: pytest.MonkeyPatch, scenario: Callable[[World], Coroutine[Any, Any, None]]) -> None:
    """Runs the scenario beside its hub. Neither waits in real time."""

    async def run() -> None:
        monkeypatch.setattr(
            "daybook_projector.read_api.stream.hub.time", SimpleNamespace(monotonic=asyncio.get_running_loop().time)
        )
        world, stop = World(), asyncio.Event()
        running = asyncio.create_task(world.hub.run(stop))
        await scenario(world)
        stop.set()
        await running

    with asyncio.Runner(loop_factory=ClockedLoop) as runner:
        runner.run(run())


async def end_of(stream: OpenStream, seconds: float) -> End | None:
    """None if the stream has not ended after `seconds`."""
    with suppress(TimeoutError):
        return await asyncio.wait_for(asyncio.shield(stream.ended), seconds)
    return None


@pytest.mark.parametrize("seconds", [1.05, 1.3, 2.9])
def test_a_slow_database_ends_no_stream(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    async def scenario(world: World) -> None:
        world.reads.seconds = seconds
        assert await end_of(world.joined(), 60) is None

    run_clocked(monkeypatch, scenario)


@pytest.mark.parametrize(("seconds", "away"), [(1_000, False), (0, True), (1.3, True)])
def test_streams_end_if_no_tick_succeeds_for_three_seconds(
    monkeypatch: pytest.MonkeyPatch, seconds: float, *, away: bool
) -> None:
    async def scenario(world: World) -> None:
        stream = world.joined()
        assert await end_of(stream, 10) is None
        world.reads.seconds, world.reads.away = seconds, away
        assert await end_of(stream, 2.9) is None
        assert await end_of(stream, 2.3) is End.NO_DATABASE

    run_clocked(monkeypatch, scenario)


@pytest.mark.parametrize("seconds", [0, 15])
def test_an_earlier_outage_does_not_end_a_new_stream(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    async def scenario(world: World) -> None:
        stream = world.joined()
        world.reads.seconds, world.reads.away = seconds, True
        assert await end_of(stream, 10) is End.NO_DATABASE
        world.hub.leave(stream)
        await asyncio.sleep(15.2 - asyncio.get_running_loop().time())
        world.reads.seconds, world.reads.away = 1.3, False
        assert await end_of(world.joined(), 60) is None

    run_clocked(monkeypatch, scenario)
