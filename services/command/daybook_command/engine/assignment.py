"""A partition that this instance owns: its shard, and the work in progress for it."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from daybook_command.shard.effects import Answer
from daybook_command.shard.machine import Shard
from daybook_command.shard.records import CommandRecord
from daybook_infra.runtime.retrying import FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS

# A shard queues at most this many commands; later ones stay in Kafka.
MAX_QUEUED = 2_000
MAX_QUEUED_BYTES = 8 * 1024 * 1024
# Batches that are in the log but whose answers Kafka has not acknowledged. They can pile up if Kafka accepts entries
# but not answers.
MAX_ANSWERING = 16


class CommandConsumer(Protocol):
    """The group's consumer of the commands topic. Calls for a partition of another instance have no effect."""

    async def committed(self, partition: int) -> int:
        """The offset at which to continue reading. Raises KafkaAway."""

    async def end(self, partition: int) -> int:
        """The offset that the next command will get. Raises KafkaAway."""

    def seek(self, partition: int, offset: int) -> None: ...

    def pause(self, partition: int) -> None: ...

    def resume(self, partition: int) -> None: ...

    async def commit(self, offsets: dict[int, int]) -> bool:
        """Whether the offsets are committed."""


@dataclass(slots=True)
class Assignment:
    """The partition's commands are taken after `started` is set and until `leaving` is set.

    `expected_offset`: the offset of the next command. `sought_offset`: the last offset to which the consumer went back
    because of a gap. `seen_to`: the last offset that has arrived behind this gap. `retakes`: how often the partition
    was taken over again since the last finished batch. `wakes`: whether the shard is about to look at its local
    commands.
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
    seen_to: int = -1
    retakes: int = 0
    wakes: bool = False
    partition: int = field(init=False)

    def __post_init__(self) -> None:
        self.partition = self.shard.partition

    @property
    def takes_commands(self) -> bool:
        return self.started and not self.leaving

    @property
    def is_idle(self) -> bool:
        return self.shard.idle and not self.answering

    @property
    def is_full(self) -> bool:
        """Whether reading of commands must pause. A paused partition counts as full until it is below half of each
        limit.
        """
        inbox = self.shard.inbox
        queued = len(inbox.queue) + len(inbox.aside)
        fill = max(queued / MAX_QUEUED, inbox.size / MAX_QUEUED_BYTES, self.answering / MAX_ANSWERING)
        return fill >= (0.5 if self.paused else 1)

    def next_in_order(self, records: Sequence[CommandRecord], consumer: CommandConsumer) -> Sequence[CommandRecord]:
        """The records from the expected offset on. If there is a gap before them, returns none and seeks back. The gap
        is accepted if it is still there when the records after it are read again: some offsets have no record, such as
        those of the markers that end transactions.

        Records that were fetched before a rebalance, or before a seek, can arrive after it. If a shard took records
        ahead of earlier ones, committing their offsets would lose the earlier ones. Records arrive in the order in
        which they were fetched. So records that were fetched before the seek begin after `seen_to`, and records that
        are read again do not.
        """
        expected = self.expected_offset
        following = [record for record in records if record.offset >= expected]
        if not following or following[0].first_offset <= expected:
            return following
        if self.sought_offset != expected:
            self.sought_offset, self.seen_to = expected, expected
        if following[0].first_offset <= self.seen_to:
            return following
        self.seen_to = following[-1].offset
        consumer.seek(self.partition, expected)
        return []


def retake_pause(retakes: int) -> float:
    """Seconds to wait before the log is folded again. No pause the first time: a lost race is not an outage."""
    return min(FIRST_PAUSE_SECONDS * 2.0 ** min(retakes - 2, 10), LONGEST_PAUSE_SECONDS) if retakes > 1 else 0.0
