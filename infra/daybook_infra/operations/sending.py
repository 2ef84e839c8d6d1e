"""Publishes lines of commands and yields their outcomes in the same order, with a bounded number in flight."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator

from daybook_infra.operations.addressing import AddressedCommand, address
from daybook_infra.operations.publishing import CommandClient, Outcome

# Enough to fill the shards' batches, few enough to keep in memory.
IN_FLIGHT = 500

Pending = asyncio.Queue[asyncio.Future[Outcome] | None]


async def outcomes(client: CommandClient, lines: AsyncIterator[bytes]) -> AsyncGenerator[Outcome]:
    """Publishes in the order of the lines. Raises what reading the lines raised."""
    pending: Pending = asyncio.Queue()
    free = asyncio.Semaphore(IN_FLIGHT)
    publishing = asyncio.create_task(_publish_lines(client, lines, pending, free))
    publishing.add_done_callback(lambda _: pending.put_nowait(None))
    try:
        while (outcome := await pending.get()) is not None:
            yield await outcome
            free.release()
        await publishing
    finally:
        publishing.cancel()


async def _publish_lines(
    client: CommandClient, lines: AsyncIterator[bytes], pending: Pending, free: asyncio.Semaphore
) -> None:
    async for line in lines:
        await free.acquire()
        pending.put_nowait(await _publish(client, line))


async def _publish(client: CommandClient, line: bytes) -> asyncio.Future[Outcome]:
    match address(line):
        case AddressedCommand() as command:
            return await client.publish(command)
        case refused:
            outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
            outcome.set_result(refused)
            return outcome
