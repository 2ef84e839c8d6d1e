"""What waits to be decided: records in the order of their offsets, and overdue runs that nobody reports.

Leaves: the next batch. Some commands are a batch of their own, and large ones make it short.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice

from daybook_command.shard.backlog import filtered_by, names
from daybook_command.shard.intake import SentCommand, TakenCommand, take, time_out
from daybook_command.shard.messages import CommandRecord, OverdueRun
from daybook_command.shard.reservations import reserves
from daybook_contracts.commands.registry import Command
from daybook_contracts.limits import ENVELOPE_BYTES
from daybook_contracts.senders.edge_rules import NO_RULES, EdgeRules

# Rows that one batch looks up by id: about as many as a snapshot reads in a tenth of a second.
MAX_NAMED = 5_000
# Records of one batch are parsed in one go, which must not hold the event loop: as much as one envelope may have.
MAX_TAKEN_BYTES = ENVELOPE_BYTES
# A stalled run ends in three entries at most.
MAX_OVERDUE = 100


IsOutsider = Callable[[Command], bool]


def nobody(_: Command) -> bool:
    return False


@dataclass(slots=True)
class Inbox:
    """`size`: bytes of what is queued or set aside. `suspects` are offsets to be tried alone, `doomed` those that
    failed alone. `aside`: commands that choose ids, and those of the same keys behind them, while reservations cannot
    be relied on. `decided_to`: the offset after the last record that was dealt with; `left`: of the first one that was
    left to others.
    """

    partition: int
    partitions: int
    max_commands: int
    rules: EdgeRules = NO_RULES
    queue: deque[CommandRecord] = field(default_factory=deque)
    size: int = 0
    overdue: dict[str, OverdueRun] = field(default_factory=dict)
    suspects: set[int] = field(default_factory=set)
    doomed: set[int] = field(default_factory=set)
    aside: deque[CommandRecord] = field(default_factory=deque)
    keys_aside: set[str] = field(default_factory=set)
    decided_to: int = 0
    left: int | None = None

    def __bool__(self) -> bool:
        return bool(self.queue or self.overdue)

    def clear(self) -> None:
        """Nothing of this is decided here any more; no commit passes it."""
        self.left = min((record.offset for record in (*self.aside, *self.queue)), default=self.left)
        self.queue.clear()
        self.aside.clear()
        self.keys_aside.clear()
        self.size = 0
        self.overdue.clear()

    def add(self, records: Sequence[CommandRecord]) -> None:
        self.queue.extend(records)
        self.size += sum(map(_size, records))

    def look_at(self, runs: Iterable[OverdueRun]) -> None:
        self.overdue.update((run.sync_run_id, run) for run in runs)

    def put_back(self, records: Sequence[CommandRecord]) -> None:
        """In the order of offsets: a batch may have left out some before them."""
        self.queue = deque(sorted([*records, *self.queue], key=lambda record: record.offset))
        self.size += sum(map(_size, records))

    def take_overdue(self) -> list[TakenCommand]:
        """A batch of the shard's own commands. None is put back: a run that is overdue is found again."""
        runs = [self.overdue.pop(run_id) for run_id in list(self.overdue)[:MAX_OVERDUE]]
        return [time_out(run) for run in runs]

    def take_records(
        self, is_outsider: IsOutsider = nobody, *, set_aside: bool = False
    ) -> tuple[list[CommandRecord], list[TakenCommand]]:
        """The next commands, each org's in order; a suspect is a batch of its own. What filters dead letters has no
        other command of its org beside it: those behind it are left for the next batch. With `set_aside`, commands that
        choose ids are left out, with all of their orgs behind them. `is_outsider` says whose filter matches nothing: it
        may stand beside others.
        """
        records: list[CommandRecord] = []
        taken: list[TakenCommand] = []
        deferred = Deferred(is_outsider)
        named = size = 0
        while self.queue and len(records) < self.max_commands:
            if size and size + _size(self.queue[0]) > MAX_TAKEN_BYTES:
                break
            size += _size(self.queue[0])
            item = take(self.queue[0], self.partition, self.partitions, self.rules)
            if set_aside and self._waits(item):
                self.aside.append(self.queue.popleft())
                continue
            if deferred.takes(item):
                deferred.records.append(self.queue.popleft())
                continue
            named += deferred.names(item)
            alone = self.queue[0].offset in self.suspects
            if records and (alone or named > MAX_NAMED):
                break
            records.append(self.queue.popleft())
            taken.append(item)
            if alone:
                break
        self.queue.extendleft(reversed(deferred.records))
        self.size -= sum(map(_size, records))
        return records, taken

    def _waits(self, item: TakenCommand) -> bool:
        if not isinstance(item, SentCommand) or not (reserves(item) or item.command.key in self.keys_aside):
            return False
        self.keys_aside.add(item.command.key)
        return True

    def take_back(self) -> None:
        """What was set aside is queued again, in the order in which it came."""
        if self.aside:
            self.queue = deque(sorted([*self.aside, *self.queue], key=lambda record: record.offset))
            self.aside.clear()
            self.keys_aside.clear()

    def decided(self, records: Sequence[CommandRecord]) -> int:
        """Notes that these are dealt with; the offset below which all are."""
        self.decided_to = max(self.decided_to, records[-1].offset + 1)
        waiting = [record.offset for record in (*self.aside, *islice(self.queue, 1))]
        left = [] if self.left is None else [self.left]
        return min([self.decided_to, *waiting, *left])

    def suspect(self, offset: int) -> None:
        """The deciders failed on it: try it alone; if that was so already, set it aside."""
        (self.doomed if offset in self.suspects else self.suspects).add(offset)

    def refused(self, offsets: set[int]) -> None:
        """Never retried in a batch: each is tried alone once, and set aside if that fails too."""
        (self.doomed if len(offsets) == 1 else self.suspects).update(offsets)

    def done(self, offsets: set[int]) -> None:
        self.suspects -= offsets
        self.doomed -= offsets


@dataclass(slots=True)
class Deferred:
    """Commands that a batch leaves for the next one, so that a filter meets its org as it is and no other org waits.
    `closed`: keys of which nothing more is taken.
    """

    is_outsider: IsOutsider
    records: list[CommandRecord] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    closed: set[str] = field(default_factory=set)

    def names(self, item: TakenCommand) -> int:
        """How many dead letters are looked up for it; nothing is for an outsider's filter."""
        if not isinstance(item, SentCommand) or (filtered_by(item.command) and self.is_outsider(item.command)):
            return 0
        return names(item.command)

    def takes(self, item: TakenCommand) -> bool:
        """Whether the command has to wait; else notes that it is taken."""
        if not isinstance(item, SentCommand):
            return False
        key, filters = item.command.key, filtered_by(item.command) is not None
        if filters and key not in self.seen and key not in self.closed and self.is_outsider(item.command):
            return False  # nothing before it in the batch can have let its actor in
        if key in self.closed or (filters and key in self.seen):
            self.closed.add(key)
            return True
        self.seen.add(key)
        if filters:
            self.closed.add(key)
        return False


def _size(record: CommandRecord) -> int:
    return len(record.value or b"") + sum(len(value) for _, value in record.headers)
