"""The slots of callers: a caller waits for its own reads, never for those of another."""

import asyncio
import gc
from contextlib import AsyncExitStack

import pytest

from daybook_infra.runtime.http.problems import RequestRefused
from daybook_projector.read_api.caller_slots import CallerSlots


async def test_a_caller_waits_only_for_its_own_reads() -> None:
    slots = CallerSlots(most=2, seconds=60)
    async with AsyncExitStack() as held, asyncio.TaskGroup() as group:
        for _ in range(2):
            await held.enter_async_context(slots.take("user:ada"))
        waiting = group.create_task(slots.take("user:ada").__aenter__())
        async with slots.take("user:bob"):
            assert not waiting.done()
        await held.aclose()
        await waiting


async def test_a_read_that_waits_too_long_is_refused() -> None:
    slots = CallerSlots(most=1, seconds=0.01)
    async with slots.take("user:ada"):
        with pytest.raises(RequestRefused) as refused:
            await slots.take("user:ada").__aenter__()
    assert (refused.value.rejected.status, refused.value.headers) == (429, {"Retry-After": "1"})
    async with slots.take("user:ada"):
        pass


async def test_callers_without_reads_take_no_memory() -> None:
    slots = CallerSlots(most=1, seconds=60)
    for number in range(100):
        async with slots.take(f"user:{number}"):
            assert len(slots) >= 1
    gc.collect()
    assert len(slots) == 0
