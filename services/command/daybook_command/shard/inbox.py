"""The queue of a shard: command records by offset, and overdue sync runs. Gives the next batch.

Some commands form a batch of their own, and large ones shorten it.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice

from daybook_command.shard.dead_letter_counts import filter_of, letters_named
from daybook_command.shard.events import OverdueRun
from daybook_command.shard.intake import SentCommand, TakenCommand, take, time_out
from daybook_command.shard.needs import reserved_by
from daybook_command.shard.records import CommandRecord
from daybook_contracts.commands.registry import Command
from daybook_contracts.limits import ENVELOPE_BYTES
from daybook_contracts.senders.sender_rules import NO_RULES, SenderRules

# Rows that one batch looks up by id: about what a snapshot reads in a tenth of a second.
MAX_NAMED = 5_000
# A batch is parsed in one go, which blocks the event loop: at most as long as one envelope of maximum size does.
MAX_TAKEN_BYTES = ENVELOPE_BYTES
# An overdue run ends in at most three entries.
MAX_OVERDUE = 100


IsOutsider = Callable[[Command], bool]


def _nobody(_: Command) -> bool:
    return False


@dataclass(slots=True)
class Inbox:
    """`size`: bytes queued or set aside. `suspects`: offsets to be tried alone; `doomed`: those that failed alone.
    `aside`: commands that choose ids, and later ones with the same keys, while reservations cannot be trusted.
    `decided_to`: the offset after the last handled record; `abandoned_from`: the first offset left to the next owner.
    """

    partition: int
    partitions: int
    max_commands: int
    rules: SenderRules = NO_RULES
    queue: deque[CommandRecord] = field(default_factory=deque)
    size: int = 0
    overdue: dict[str, OverdueRun] = field(default_factory=dict)
    suspects: set[int] = field(default_factory=set)
    doomed: set[int] = field(default_factory=set)
    aside: deque[CommandRecord] = field(default_factory=deque)
    keys_aside: set[str] = field(default_factory=set)
    decided_to: int = 0
    abandoned_from: int | None = None

    def __bool__(self) -> bool:
        return bool(self.queue or self.overdue)

    def clear(self) -> None:
        """Abandon everything. Later commits do not pass it."""
        self.abandoned_from = min((record.offset for record in (*self.aside, *self.queue)), default=self.abandoned_from)
        self.queue.clear()
        self.aside.clear()
        self.keys_aside.clear()
        self.size = 0
        self.overdue.clear()

    def add(self, records: Sequence[CommandRecord]) -> None:
        self.queue.extend(records)
        self.size += sum(map(_size, records))

    def add_overdue(self, runs: Iterable[OverdueRun]) -> None:
        self.overdue.update((run.sync_run_id, run) for run in runs)

    def put_back(self, records: Sequence[CommandRecord]) -> None:
        """Requeue by offset: the queue may hold earlier records that the batch left out."""
        self.queue = deque(sorted([*records, *self.queue], key=lambda record: record.offset))
        self.size += sum(map(_size, records))

    def take_overdue(self) -> list[TakenCommand]:
        """A batch of the shard's own commands. They are never put back: an overdue run is found again."""
        runs = [self.overdue.pop(run_id) for run_id in list(self.overdue)[:MAX_OVERDUE]]
        return [time_out(run) for run in runs]

    def take_records(
        self, is_outsider: IsOutsider = _nobody, *, set_aside: bool = False
    ) -> tuple[list[CommandRecord], list[TakenCommand]]:
        """The next commands, in order within each org; a suspect is a batch of its own. A command with a filter is its
        org's only one in the batch; later ones wait for the next batch. With `set_aside`, commands that choose ids are
        set aside, and later ones of their orgs too. `is_outsider`: an outsider's filter matches nothing, so it needs
        no batch without others.
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
            if set_aside and self._must_set_aside(item):
                self.aside.append(self.queue.popleft())
                continue
            if deferred.defers(item):
                deferred.records.append(self.queue.popleft())
                continue
            named += deferred.letters_named(item)
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

    def _must_set_aside(self, item: TakenCommand) -> bool:
        if not isinstance(item, SentCommand) or not (reserved_by(item) or item.command.key in self.keys_aside):
            return False
        self.keys_aside.add(item.command.key)
        return True

    def requeue_aside(self) -> None:
        """Queue again what was set aside, by offset."""
        if self.aside:
            self.queue = deque(sorted([*self.aside, *self.queue], key=lambda record: record.offset))
            self.aside.clear()
            self.keys_aside.clear()

    def mark_decided(self, records: Sequence[CommandRecord]) -> int:
        """Record these as handled, and return the offset below which every record is."""
        self.decided_to = max(self.decided_to, records[-1].offset + 1)
        waiting = [record.offset for record in (*self.aside, *islice(self.queue, 1))]
        left = [] if self.abandoned_from is None else [self.abandoned_from]
        return min([self.decided_to, *waiting, *left])

    def mark_suspect(self, offset: int) -> None:
        """The deciders raised on this record: try it alone; if it was alone already, refuse it."""
        (self.doomed if offset in self.suspects else self.suspects).add(offset)

    def mark_refused(self, offsets: set[int]) -> None:
        """Kafka refused the batch: try each record alone once; refuse one that was alone already."""
        (self.doomed if len(offsets) == 1 else self.suspects).update(offsets)

    def clear_marks(self, offsets: set[int]) -> None:
        self.suspects -= offsets
        self.doomed -= offsets


@dataclass(slots=True)
class Deferred:
    """Commands left for the next batch, so that a filter sees its org's final state and other orgs need not wait.
    `closed`: keys of which nothing more is taken.
    """

    is_outsider: IsOutsider
    records: list[CommandRecord] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    closed: set[str] = field(default_factory=set)

    def letters_named(self, item: TakenCommand) -> int:
        """How many dead letters are looked up for the command; none for an outsider's filter."""
        if not isinstance(item, SentCommand) or (filter_of(item.command) and self.is_outsider(item.command)):
            return 0
        return letters_named(item.command)

    def defers(self, item: TakenCommand) -> bool:
        """Whether the command must wait; otherwise it counts as taken."""
        if not isinstance(item, SentCommand):
            return False
        key, filters = item.command.key, filter_of(item.command) is not None
        if filters and key not in self.seen and key not in self.closed and self.is_outsider(item.command):
            return False  # no earlier command of the batch can have made its actor a member
        if key in self.closed or (filters and key in self.seen):
            self.closed.add(key)
            return True
        self.seen.add(key)
        if filters:
            self.closed.add(key)
        return False


def _size(record: CommandRecord) -> int:
    return len(record.value or b"") + sum(len(value) for _, value in record.headers)
