"""A partition that is ours: its shard, and what is under way for it. The group's consumer as the engine needs it."""

import asyncio
from dataclasses import dataclass, field
from typing import Protocol

from daybook_command.shard.effects import Answer
from daybook_command.shard.machine import Shard

# A shard takes no more than this in advance; what is beyond stays in Kafka.
MAX_QUEUED = 2_000
MAX_QUEUED_BYTES = 8 * 1024 * 1024
# Batches that stand, but whose answers Kafka has not acknowledged: the log may be there while other topics are not.
MAX_ANSWERING = 16


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

    @property
    def is_full(self) -> bool:
        """Nothing more is taken. Once it is, it stays so until half of it is gone."""
        inbox = self.shard.inbox
        queued = len(inbox.queue) + len(inbox.aside)
        fill = max(queued / MAX_QUEUED, inbox.size / MAX_QUEUED_BYTES, self.answering / MAX_ANSWERING)
        return fill >= (0.5 if self.paused else 1)
