"""Sends a stream of commands with many in flight: commands in, outcomes out in the same order.

All commands of an org go through the same lane (a queue), which sends its next commands only when the previous ones
have outcomes.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final
from zlib import crc32

from daybook_client.command import Command
from daybook_client.outcomes import Outcome, Unknown

LANES: Final = 32
AT_ONCE: Final = 250
"""How many commands a lane sends at once: enough to fill a shard's batch."""
HELD_BACK: Final = "not sent: an earlier command with its routing key has no known outcome"

Send = Callable[[Sequence[Command]], Coroutine[None, None, list[Outcome]]]
Waiting = tuple[Command, "asyncio.Future[Outcome]"]
Commands = Iterable[Command] | AsyncIterable[Command]


@dataclass(slots=True)
class Lane:
    send: Send
    waiting: asyncio.Queue[Waiting] = field(default_factory=asyncio.Queue)
    _unknown_keys: set[str] = field(default_factory=set)

    async def run(self) -> None:
        while True:
            taken = [await self.waiting.get()]
            while len(taken) < AT_ONCE and not self.waiting.empty():
                taken.append(self.waiting.get_nowait())
            await self._send(taken)

    async def _send(self, taken: Sequence[Waiting]) -> None:
        sent = list[Waiting]()
        for command, outcome in taken:
            if command.key in self._unknown_keys:
                outcome.set_result(Unknown(command, HELD_BACK))
            else:
                sent.append((command, outcome))
        if not sent:
            return
        sending = self.send([command for command, _ in sent])
        (results,) = await asyncio.gather(sending, return_exceptions=True)
        if isinstance(results, BaseException):  # raised where the outcomes are awaited
            for _, outcome in sent:
                outcome.set_exception(results)
            return
        for (command, outcome), result in zip(sent, results, strict=True):
            if isinstance(result, Unknown):
                self._unknown_keys.add(command.key)
            outcome.set_result(result)


async def send_in_lanes(send: Send, commands: Commands, in_flight: int) -> AsyncGenerator[Outcome]:
    """At most `in_flight` commands are taken from `commands` ahead of the outcomes. Raises any error that `send` or
    `commands` raises.
    """
    lanes = [Lane(send) for _ in range(LANES)]
    ordered: asyncio.Queue[asyncio.Future[Outcome] | None] = asyncio.Queue()
    free = asyncio.Semaphore(in_flight)
    loop = asyncio.get_running_loop()

    async def take() -> None:
        async for command in _each(commands):
            await free.acquire()
            outcome: asyncio.Future[Outcome] = loop.create_future()
            ordered.put_nowait(outcome)
            lanes[crc32(command.key.encode()) % LANES].waiting.put_nowait((command, outcome))

    taking = asyncio.create_task(take())
    taking.add_done_callback(lambda _: ordered.put_nowait(None))
    running = [asyncio.create_task(lane.run()) for lane in lanes]
    try:
        while (outcome := await ordered.get()) is not None:
            yield await outcome
            free.release()
        await taking
    finally:
        for task in (taking, *running):
            task.cancel()
        await asyncio.wait([taking, *running])
        while not ordered.empty():
            left = ordered.get_nowait()
            if left is not None and left.done():
                left.exception()  # otherwise asyncio logs an error that nobody retrieves


async def _each(commands: Commands) -> AsyncGenerator[Command]:
    if isinstance(commands, AsyncIterable):
        async for command in commands:
            yield command
        return
    for command in commands:
        yield command
