"""What waits to be decided: records in the order of their offsets, and overdue runs that nobody reports.

Leaves: the next batch. Some commands are a batch of their own, and large ones make it short.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from daybook_command.shard.backlog import filtered_by, names
from daybook_command.shard.intake import Pending, Taken, take, time_out
from daybook_command.shard.messages import CommandRecord, OverdueRun
from daybook_contracts.limits import ENVELOPE_BYTES

# Rows that one batch looks up by id: about as many as a snapshot reads in a tenth of a second.
MAX_NAMED = 5_000
# Records of one batch are parsed in one go, which must not hold the event loop: as much as one envelope may have.
MAX_TAKEN_BYTES = ENVELOPE_BYTES
# A stalled run ends in three entries at most.
MAX_OVERDUE = 100


@dataclass(slots=True)
class Inbox:
    """`size`: bytes of what is queued. `suspects` are offsets to be tried alone, `doomed` those that failed alone."""

    partition: int
    partitions: int
    max_commands: int
    queue: deque[CommandRecord] = field(default_factory=deque)
    size: int = 0
    overdue: dict[str, OverdueRun] = field(default_factory=dict)
    suspects: set[int] = field(default_factory=set)
    doomed: set[int] = field(default_factory=set)

    def __bool__(self) -> bool:
        return bool(self.queue or self.overdue)

    def clear(self) -> None:
        self.queue.clear()
        self.size = 0
        self.overdue.clear()

    def add(self, records: Sequence[CommandRecord]) -> None:
        self.queue.extend(records)
        self.size += sum(map(_size, records))

    def look_at(self, runs: Iterable[OverdueRun]) -> None:
        self.overdue.update((run.sync_run_id, run) for run in runs)

    def put_back(self, records: Sequence[CommandRecord]) -> None:
        self.queue.extendleft(reversed(records))
        self.size += sum(map(_size, records))

    def take_overdue(self) -> list[Taken]:
        """A batch of the shard's own commands. None is put back: a run that is overdue is found again."""
        runs = [self.overdue.pop(run_id) for run_id in list(self.overdue)[:MAX_OVERDUE]]
        return [time_out(run) for run in runs]

    def take_records(self) -> tuple[list[CommandRecord], list[Taken]]:
        """The next commands in order; a suspect is a batch of its own, and so is what filters dead letters."""
        records: list[CommandRecord] = []
        taken: list[Taken] = []
        named = size = 0
        while self.queue and len(records) < self.max_commands:
            size += _size(self.queue[0])
            if records and size > MAX_TAKEN_BYTES:
                break
            item = take(self.queue[0], self.partition, self.partitions)
            named += names(item.command) if isinstance(item, Pending) else 0
            alone = self._alone(item)
            if records and (alone or named > MAX_NAMED):
                break
            records.append(self.queue.popleft())
            taken.append(item)
            if alone:
                break
        self.size -= sum(map(_size, records))
        return records, taken

    def _alone(self, item: Taken) -> bool:
        if self.queue[0].offset in self.suspects:
            return True
        return isinstance(item, Pending) and filtered_by(item.command) is not None

    def suspect(self, offset: int) -> None:
        """The deciders failed on it: try it alone; if that was so already, set it aside."""
        (self.doomed if offset in self.suspects else self.suspects).add(offset)

    def refused(self, offsets: set[int]) -> None:
        """Never retried in a batch: each is tried alone once, and set aside if that fails too."""
        (self.doomed if len(offsets) == 1 else self.suspects).update(offsets)

    def done(self, offsets: set[int]) -> None:
        self.suspects -= offsets
        self.doomed -= offsets


def _size(record: CommandRecord) -> int:
    return len(record.value or b"") + sum(len(value) for _, value in record.headers)
