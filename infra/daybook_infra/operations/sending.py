"""Envelopes as lines in, their outcomes out in the same order, a bounded number of them under way."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator

from daybook_infra.operations.addressing import Addressed, addressed
from daybook_infra.operations.publishing import Outcome, Publisher

# Enough to fill the shards' batches, little enough to hold in memory.
IN_FLIGHT = 500

Coming = asyncio.Queue[asyncio.Future[Outcome] | None]


async def outcomes(publisher: Publisher, lines: AsyncIterator[bytes]) -> AsyncGenerator[Outcome]:
    """Lines are published in their order. Ends with the lines, or with what reading them raised."""
    coming: Coming = asyncio.Queue()
    room = asyncio.Semaphore(IN_FLIGHT)
    feeding = asyncio.create_task(_feed(publisher, lines, coming, room))
    feeding.add_done_callback(lambda _: coming.put_nowait(None))
    try:
        while (outcome := await coming.get()) is not None:
            yield await outcome
            room.release()
        await feeding
    finally:
        feeding.cancel()


async def _feed(publisher: Publisher, lines: AsyncIterator[bytes], coming: Coming, room: asyncio.Semaphore) -> None:
    async for line in lines:
        await room.acquire()
        coming.put_nowait(await _published(publisher, line))


async def _published(publisher: Publisher, line: bytes) -> asyncio.Future[Outcome]:
    match addressed(line):
        case Addressed() as command:
            return await publisher.publish(command)
        case refused:
            outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
            outcome.set_result(refused)
            return outcome
