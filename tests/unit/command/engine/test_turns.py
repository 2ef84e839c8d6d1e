"""Shards share each iteration of the event loop with other tasks."""

import asyncio
import time
from random import Random

import pytest

from daybook_command.engine import turns
from daybook_command.engine.turns import Turns


async def iterations_of(waiters: int) -> list[int]:
    """The loop iterations in which the waiters get their turns if all of them begin to wait at once."""
    shared, iteration, found = Turns(), 0, list[int]()

    async def wait() -> None:
        await shared.wait()
        found.append(iteration)

    waiting = [asyncio.create_task(wait()) for _ in range(waiters)]
    while len(found) < waiters:
        await asyncio.sleep(0)
        iteration += 1
    await asyncio.gather(*waiting)
    return found


async def test_short_work_of_several_shards_shares_an_iteration() -> None:
    assert len(set(await iterations_of(3))) == 1


async def test_a_shard_waits_when_the_time_of_an_iteration_is_used_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "TURN_SECONDS", 0.0)
    assert len(set(await iterations_of(4))) == 4


async def test_waiters_keep_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "TURN_SECONDS", 0.0)
    shared, order, draw = Turns(), list[int](), Random(1)

    async def wait(number: int) -> None:
        await shared.wait()
        order.append(number)

    async with asyncio.TaskGroup() as group:
        for number in range(100):
            group.create_task(wait(number))
            for _ in range(draw.randrange(3)):  # several, one or no waiter in one iteration
                await asyncio.sleep(0)
    assert order == list(range(100))


async def test_waiters_go_on_if_all_that_were_woken_are_cancelled() -> None:
    shared = Turns()

    async def use_up_the_iteration() -> None:
        await shared.wait()
        time.sleep(2 * turns.TURN_SECONDS)  # noqa: ASYNC251 - blocks the loop, as deciding does

    async def cancel_and_wait() -> None:
        await asyncio.sleep(0)  # until the iteration in which `woken` is woken, but has not run yet
        woken.cancel()
        await shared.wait()

    first = asyncio.create_task(use_up_the_iteration())
    woken = asyncio.create_task(shared.wait())
    last = asyncio.create_task(cancel_and_wait())
    await asyncio.wait_for(asyncio.gather(first, last), 10)
    assert woken.cancelled()


async def test_a_cancelled_waiter_does_not_delay_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "TURN_SECONDS", 0.0)
    shared = Turns()
    _, second, third = (asyncio.create_task(shared.wait()) for _ in range(3))
    await asyncio.sleep(0)
    second.cancel()
    await asyncio.wait_for(third, 10)
    assert second.cancelled()
