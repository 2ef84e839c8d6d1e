"""A shard of the door's own instance that holds the commands it gets until the test answers them or hands them back."""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from daybook_command.shard.intake import SentCommand


@dataclass(slots=True)
class HeldShards:
    """`queued`: the commands that no batch has taken yet, by ticket; `taken`: those that a batch took. `given`: all
    commands that the door gave. `room`: how many commands fit in the queue. `decided`: the offset below which the topic
    is decided. `waits`: for each wait for room, how many commands were given by then.
    """

    open: bool = True
    room: int = 1_000
    decided: int = 0
    queued: dict[bytes, SentCommand] = field(default_factory=dict)
    taken: dict[bytes, SentCommand] = field(default_factory=dict)
    given: list[SentCommand] = field(default_factory=list)
    shrunk: asyncio.Event = field(default_factory=asyncio.Event)
    waits: list[int] = field(default_factory=list)

    def takes_local(self, partition: int) -> bool:
        return self.open

    def decided_to(self, partition: int) -> int | None:
        return self.decided

    def has_room(self, partition: int, key: str, commands: int, size: int) -> bool:
        return len(self.queued) + commands <= self.room

    async def wait_for_room(self) -> None:
        self.waits.append(len(self.given))
        await self.shrunk.wait()
        self.shrunk.clear()

    def queue_local(self, partition: int, commands: Sequence[SentCommand]) -> None:
        self.given += commands
        self.queued |= {each.reply_to.correlation_id or b"": each for each in commands}

    def withdraw(self, partition: int, tickets: Collection[bytes]) -> Collection[bytes]:
        return [ticket for ticket in tickets if self.queued.pop(ticket, None) is not None]

    def take(self) -> None:
        """A batch takes all queued commands."""
        self.taken |= self.queued
        self.queued.clear()
        self.shrunk.set()
