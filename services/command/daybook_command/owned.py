"""A partition that is ours: its shard, and what is under way for it. The group's consumer as the engine needs it."""

import asyncio
from dataclasses import dataclass, field
from typing import Protocol

from daybook_command.shard.machine import Shard
from daybook_command.shard.messages import Answer


class Intake(Protocol):
    """The group's consumer as the engine needs it, for single partitions of the commands topic."""

    async def committed(self, partition: int) -> int:
        """The offset to go on at; raises KafkaAway."""

    def seek(self, partition: int, offset: int) -> None: ...

    def pause(self, partition: int) -> None: ...

    def resume(self, partition: int) -> None: ...

    async def commit(self, offsets: dict[int, int]) -> None: ...


@dataclass(slots=True)
class Owned:
    """A shard and what is under way for it. It is read from once `started`, and until it is `leaving`.

    `expected` is the offset that must come next; `sought` the last one that was asked for a second time.
    `retakes`: how often it was taken over again since a batch stood.
    """

    shard: Shard
    assigned_at: float
    answers: asyncio.Queue[Answer] = field(default_factory=asyncio.Queue)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    answering: int = 0
    started: bool = False
    leaving: bool = False
    paused: bool = True
    expected: int = 0
    sought: int = -1
    retakes: int = 0

    @property
    def idle(self) -> bool:
        return self.shard.idle and not self.answering
