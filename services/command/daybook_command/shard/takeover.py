"""Takes a partition over: makes the shard's memory from a checkpoint and the log after it, slice by slice."""

from dataclasses import dataclass, field

from daybook_command.shard.effects import Report
from daybook_command.shard.events import LogOpened, LogRead
from daybook_command.shard.memory import Memory, stamped_at
from daybook_command.shard.org_cache import OrgCache
from daybook_command.shard.tail import TailLimit
from daybook_contracts.log.continuity import check_bounds, check_end, check_head
from daybook_contracts.log.head import NOTHING_PROJECTED, Checkpoint


@dataclass(slots=True)
class Takeover:
    """The takeovers of a shard, one after another. `memory` has folded the log up to the offset `read_to`; a
    takeover is complete at `log_end`.

    `most_behind`: how many offsets after the checkpoint were folded when the tail turned out to be too long; None if it
    did not. While the checkpoint is further behind than that, nothing is read.
    """

    partition: int
    cache_bytes: int
    limit: TailLimit
    memory: Memory = field(init=False)
    checkpoint: Checkpoint = NOTHING_PROJECTED
    read_to: int = 0
    log_end: int = 0
    most_behind: int | None = None

    def __post_init__(self) -> None:
        self.drop_memory()

    def drop_memory(self) -> Memory:
        """Drops the memory, and returns the empty one that replaces it."""
        self.memory = Memory(self.partition, OrgCache(self.cache_bytes))
        return self.memory

    @property
    def is_complete(self) -> bool:
        return self.read_to >= self.log_end

    @property
    def too_far_behind(self) -> bool:
        return self.most_behind is not None and self.behind > self.most_behind

    @property
    def behind(self) -> int:
        """How many offsets the checkpoint is behind the log."""
        return self.log_end - self.checkpoint.next_offset

    def advance(self, event: LogOpened | LogRead) -> list[Report]:
        """Begin, or fold the next slice. Drop the memory if the tail turns out to be too long. Raises LogChanged if
        the log and the checkpoint contradict each other.
        """
        reports: list[Report] = []
        match event:
            case LogOpened():
                self._begin(event)
            case LogRead():
                reports = self._fold(event)
                if self.limit.is_exceeded(self.memory.tail.weight, event.elsewhere):
                    self.most_behind = self.read_to - self.checkpoint.next_offset
        if self.is_complete:
            self.most_behind = None
        if self.too_far_behind:
            self.drop_memory()
        return reports

    def _begin(self, opened: LogOpened) -> None:
        checkpoint = self.checkpoint = opened.checkpoint
        check_bounds(checkpoint.next_offset, opened.log_start, opened.log_end)
        check_end(opened.log_end, opened.ended_at)
        self.read_to, self.log_end = checkpoint.first_to_read, opened.log_end
        memory = self.drop_memory()
        memory.head, memory.head_offset, memory.end = checkpoint.head, checkpoint.head_offset, checkpoint.next_offset
        memory.tail.pruned_position = checkpoint.head.position

    def _fold(self, read: LogRead) -> list[Report]:
        memory, checkpoint = self.memory, self.checkpoint
        if self.read_to == checkpoint.head_offset:  # the first slice begins with the head
            value = read.records[0].value if read.records else None
            check_head(checkpoint.head, checkpoint.head_offset, self.partition, value)
            memory.last_us = stamped_at(value or b"")
        self.read_to = read.next_offset
        return memory.fold(record for record in read.records if record.offset >= checkpoint.next_offset)
