"""A partition that this instance owns: its shard, and what is under way for it."""

import asyncio
from dataclasses import dataclass, field
from typing import Protocol

from daybook_command.shard.effects import Answer
from daybook_command.shard.machine import Shard

# A shard takes no more than this in advance; what is beyond stays in Kafka.
MAX_QUEUED = 2_000
MAX_QUEUED_BYTES = 8 * 1024 * 1024
# Batches that are in the log, but whose answers Kafka has not acknowledged: it may take entries, but no answers.
MAX_ANSWERING = 16


class CommandConsumer(Protocol):
    """The group's consumer of the commands topic, one partition at a time. Other instances' partitions are ignored."""

    async def committed(self, partition: int) -> int:
        """The offset to go on at. Raises KafkaAway."""

    def seek(self, partition: int, offset: int) -> None: ...

    def pause(self, partition: int) -> None: ...

    def resume(self, partition: int) -> None: ...

    async def commit(self, offsets: dict[int, int]) -> None: ...


@dataclass(slots=True)
class Assignment:
    """Its commands are taken once it is `started`, and until it is `leaving`.

    `expected_offset` is the one that must come next, `sought_offset` the last one that was asked for a second time.
    `retakes` counts how often it was taken over again since a batch was last appended.
    """

    shard: Shard
    assigned_at: float
    answers: asyncio.Queue[Answer] = field(default_factory=asyncio.Queue)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    answering: int = 0
    started: bool = False
    leaving: bool = False
    paused: bool = True
    expected_offset: int = 0
    sought_offset: int = -1
    retakes: int = 0

    @property
    def partition(self) -> int:
        return self.shard.partition

    @property
    def takes_commands(self) -> bool:
        return self.started and not self.leaving

    @property
    def is_idle(self) -> bool:
        return self.shard.idle and not self.answering

    @property
    def is_full(self) -> bool:
        """No more commands are read. Once full, it stays so until half of it is gone."""
        inbox = self.shard.inbox
        queued = len(inbox.queue) + len(inbox.aside)
        fill = max(queued / MAX_QUEUED, inbox.size / MAX_QUEUED_BYTES, self.answering / MAX_ANSWERING)
        return fill >= (0.5 if self.paused else 1)
