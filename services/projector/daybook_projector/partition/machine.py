"""Tracks how far one partition's log is projected, as a plain state machine: records in, batches of whole commands out.
Applies the admission rule, and raises `LogChanged` if the log is no longer the one that was projected.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from msgspec.structs import replace

from daybook_contracts.log.admission import Admitted, VoidReason, admit
from daybook_contracts.log.continuity import LogChanged, check_head, check_voids
from daybook_contracts.log.head import Checkpoint, Head
from daybook_infra.runtime.kafka.lost_batch import offsets_of
from daybook_projector.partition.entry import PartitionEntry, poison_if_misplaced, read_partition_entries


class PartitionStopped(Exception):
    """The partition needs an operator: projecting further would lose or invent data. Other partitions continue. The
    message names the entry or the user.
    """


class Record(Protocol):
    @property
    def offset(self) -> int: ...
    @property
    def value(self) -> bytes | None: ...


@dataclass(frozen=True, slots=True)
class Batch:
    """Entries in log order, and the checkpoints before and after them. A batch without entries only moves the
    checkpoint past void records.
    """

    partition: int
    entries: tuple[PartitionEntry, ...]
    before: Checkpoint
    after: Checkpoint

    def until(self, end: int) -> "Batch":
        """The first `end` entries; 0 < end < len(entries)."""
        last, following = self.entries[end - 1 : end + 1]
        after = Checkpoint(following.offset, last.head, last.offset)
        return Batch(self.partition, self.entries[:end], self.before, after)


@dataclass(slots=True)
class Voids:
    """The void records of one call of `take`."""

    first_offset: int | None = None
    last_offset: int | None = None
    reasons: Counter[VoidReason] = field(default_factory=Counter)

    def add(self, record: Record, reason: VoidReason) -> None:
        offsets = offsets_of(record.value)
        if self.first_offset is None:
            self.first_offset = record.offset - offsets + 1
        self.last_offset = record.offset
        self.reasons[reason] += offsets


class PartitionLog:
    """Starts at a checkpoint. Records must be given in offset order, from the checkpoint's `first_to_read` on.

    `has_gap`: offsets were skipped. Either Kafka has deleted their records, and the consumer went on at the log's new
    beginning, or a foreign transaction has left its marker there, which consumers do not see. The log's bounds
    show which.
    """

    def __init__(self, partition: int, checkpoint: Checkpoint, *, partitions: int) -> None:
        self.partition = partition
        self._partitions = partitions
        self.checkpoint = checkpoint
        self._next_to_read = checkpoint.first_to_read
        self._head: Head = checkpoint.head
        self._head_offset = checkpoint.head_offset
        self._pending: list[PartitionEntry] = []
        self.has_gap = False

    @property
    def next_to_read(self) -> int:
        return self._next_to_read

    def take(self, records: Iterable[Record]) -> Voids:
        """Admits the records that extend the log, and returns the void ones. Raises `LogChanged`."""
        voids, run = Voids(), list[tuple[int, Admitted]]()
        for record in records:
            if record.offset != self._next_to_read:
                self._verify_jump(record.offset, offsets_of(record.value))
            if record.offset >= self.checkpoint.next_offset:
                self._admit(record, voids, run)
            elif record.offset == self.checkpoint.head_offset:
                check_head(self.checkpoint.head, record.offset, self.partition, record.value)
            self._next_to_read = record.offset + 1
        for entry in read_partition_entries(run):
            self._pending.append(poison_if_misplaced(entry, self.partition, self._partitions))
        return voids

    def next_batch(self, limit: int) -> Batch | None:
        """Up to `limit` entries of whole commands; None if there is nothing to project."""
        entries = tuple(self._pending[: count_whole_commands(self._pending, limit)])
        last = entries[-1] if entries else None
        following = self._pending[len(entries)].offset if len(entries) < len(self._pending) else self._next_to_read
        head, head_offset = (last.head, last.offset) if last else (self.checkpoint.head, self.checkpoint.head_offset)
        after = Checkpoint(max(following, self.checkpoint.next_offset), head, head_offset)
        return None if after == self.checkpoint else Batch(self.partition, entries, self.checkpoint, after)

    def mark_projected(self, batch: Batch) -> None:
        """Call it when the tables have the batch: the one that `next_batch` returned, or its first part."""
        del self._pending[: len(batch.entries)]
        self.checkpoint = batch.after

    def mark_poison(self, index: int, reason: str) -> None:
        """Makes a pending entry poison. `index` counts from the checkpoint."""
        self._pending[index] = replace(self._pending[index], poison=reason)

    def _verify_jump(self, offset: int, offsets: int) -> None:
        # If the log was truncated and the consumer's offset no longer exists, the consumer starts again at the
        # beginning.
        if offset < self._next_to_read:
            raise LogChanged(f"offset {offset} was read, but {self._next_to_read} was expected")
        if self._next_to_read <= self.checkpoint.head_offset < offset:
            raise LogChanged(f"there is no record at offset {self.checkpoint.head_offset}, the checkpoint's head")
        if offset - offsets >= self._next_to_read:
            self.has_gap = True

    def _admit(self, record: Record, voids: Voids, run: list[tuple[int, Admitted]]) -> None:
        admitted = admit(self._head, self.partition, record.value)
        if isinstance(admitted, VoidReason):
            voids.add(record, admitted)
            check_voids(record.offset - self._head_offset)
            return
        run.append((record.offset, admitted))
        self._head, self._head_offset = admitted.head, record.offset


def count_whole_commands(entries: Sequence[PartitionEntry], limit: int) -> int:
    """How many of the first `limit` entries form whole commands. A command with more than `limit` entries is split;
    Daybook never writes one.
    """
    end = min(len(entries), limit)
    for last in range(end - 1, -1, -1):
        if _ends_command(entries, last):
            return last + 1
    return end if end == limit else 0


def start_of_command(entries: Sequence[PartitionEntry], index: int) -> int:
    """The index of the first entry of the command to which the entry at `index` belongs."""
    while index > 0 and not _ends_command(entries, index - 1):
        index -= 1
    return index


def _ends_command(entries: Sequence[PartitionEntry], index: int) -> bool:
    """Whether the entry is the last one of its command, as far as the entries show."""
    is_followed = index + 1 < len(entries)
    return entries[index].ends_command or (is_followed and entries[index + 1].command_id != entries[index].command_id)
