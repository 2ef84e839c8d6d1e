"""Sends a stream of commands with many in flight: commands in, outcomes out in the same order.

All commands of an org go through the same queue, which sends its next commands only when the previous ones have
outcomes.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Coroutine, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Final
from zlib import crc32

from daybook_client.command import Command
from daybook_client.outcomes import Found, Outcome, Unknown

AT_ONCE: Final = 1000
"""The most commands that a queue sends at once."""
HELD_BACK: Final = "not sent: an earlier command with the same routing key has no known outcome"

Send = Callable[[Sequence[Command]], Coroutine[None, None, Sequence[Found]]]
Numbered = tuple[int, Command]
Commands = Iterable[Command] | AsyncIterable[Command]


@dataclass(slots=True)
class Outcomes:
    """Outcomes by their commands' numbers, kept until they are given in order. An error stands for the outcomes that it
    prevented. One event announces many outcomes, because a future for each would take as long as all other work.
    """

    in_flight: int
    taken: int = 0
    given: int = 0
    is_last_taken: bool = False
    _ready: dict[int, Outcome | BaseException] = field(default_factory=dict)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _has_room: asyncio.Event = field(default_factory=asyncio.Event)

    def number_next(self) -> int:
        """The number of the next command."""
        self.taken += 1
        return self.taken - 1

    async def room(self) -> None:
        """Waits while the outcomes of `in_flight` commands are still to be given."""
        while self.taken - self.given >= self.in_flight:
            self._has_room.clear()
            await self._has_room.wait()

    def note(self, commands: Sequence[Numbered], outcomes: Sequence[Outcome | BaseException]) -> None:
        self._ready.update(zip((number for number, _ in commands), outcomes, strict=True))
        self._changed.set()

    def end(self) -> None:
        """No more commands come."""
        self.is_last_taken = True
        self._changed.set()

    async def in_order(self) -> AsyncGenerator[Outcome]:
        while True:
            while (outcome := self._ready.pop(self.given, None)) is not None:
                if isinstance(outcome, BaseException):
                    raise outcome
                yield outcome
                self.given += 1
                self._has_room.set()
            if self.is_last_taken and self.given == self.taken:
                return
            self._changed.clear()
            await self._changed.wait()


@dataclass(slots=True)
class SendQueue:
    send: Send
    outcomes: Outcomes
    _waiting: deque[Numbered] = field(default_factory=deque)
    _is_waited: asyncio.Event = field(default_factory=asyncio.Event)
    _unknown_keys: set[str] = field(default_factory=set)

    def add(self, number: int, command: Command) -> None:
        self._waiting.append((number, command))
        self._is_waited.set()

    async def run(self) -> None:
        """Ends after an error, because no later outcome would be given."""
        is_working = True
        while is_working:
            while not self._waiting:
                self._is_waited.clear()
                await self._is_waited.wait()
            taken = [self._waiting.popleft() for _ in range(min(AT_ONCE, len(self._waiting)))]
            is_working = await self._send(taken)

    async def _send(self, taken: Sequence[Numbered]) -> bool:
        """Returns whether there was no error."""
        sent = taken
        if self._unknown_keys:
            sent = [each for each in taken if each[1].key not in self._unknown_keys]
            held_back = [each for each in taken if each[1].key in self._unknown_keys]
            self.outcomes.note(held_back, [Unknown(command, HELD_BACK) for _, command in held_back])
        if not sent:
            return True
        (results,) = await asyncio.gather(self.send([command for _, command in sent]), return_exceptions=True)
        if isinstance(results, BaseException):  # raised where the outcomes are awaited
            self.outcomes.note(sent, [results] * len(sent))
            return False
        self._unknown_keys.update(each.command.key for each in results if isinstance(each, Unknown))
        self.outcomes.note(sent, results)
        return not any(isinstance(each, BaseException) for each in results)


async def send_through_queues(send: Send, commands: Commands, in_flight: int, count: int) -> AsyncGenerator[Outcome]:
    """Sends through `count` queues. At most `in_flight` commands are taken from `commands` ahead of the outcomes.
    Raises any error that `send` or `commands` raises.
    """
    outcomes = Outcomes(in_flight)
    queues = [SendQueue(send, outcomes) for _ in range(count)]

    async def take() -> None:
        async for command in _each(commands):
            queue = queues[crc32(command.key.encode(errors="surrogatepass")) % count]  # `to_json` refuses surrogates
            queue.add(outcomes.number_next(), command)
            await outcomes.room()  # before the next command is taken

    taking = asyncio.create_task(take())
    taking.add_done_callback(lambda _: outcomes.end())
    running = [asyncio.create_task(queue.run()) for queue in queues]
    try:
        async with aclosing(outcomes.in_order()) as ordered:
            async for outcome in ordered:
                yield outcome
        await taking
    finally:
        for task in (taking, *running):
            task.cancel()
        await asyncio.wait([taking, *running])


async def _each(commands: Commands) -> AsyncGenerator[Command]:
    if isinstance(commands, AsyncIterable):
        async for command in commands:
            yield command
        return
    for command in commands:
        yield command
