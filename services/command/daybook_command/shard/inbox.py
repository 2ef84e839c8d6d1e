"""The queue of a shard: commands in the order of their arrival, and overdue sync runs. Makes the next batch.

Some commands must be alone in their batch, and a batch with large commands has fewer of them.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice

from daybook_command.shard.arrivals import Arrival, size_of
from daybook_command.shard.dead_letter_counts import filter_of, letters_named
from daybook_command.shard.events import OverdueRun
from daybook_command.shard.intake import SentCommand, TakenCommand, classify, command_to_time_out
from daybook_command.shard.needs import id_to_reserve
from daybook_command.shard.records import CommandRecord
from daybook_contracts.commands.registry import Command
from daybook_contracts.limits import ENVELOPE_BYTES
from daybook_contracts.senders.sender_rules import NO_RULES, SenderRules

# Rows that one batch looks up by id. A snapshot reads about this many in a tenth of a second.
MAX_NAMED = 5_000
# A batch is parsed without a pause, which blocks the event loop: at most as long as for an envelope of maximum size.
MAX_TAKEN_BYTES = ENVELOPE_BYTES
# Failing an overdue run makes at most three entries.
MAX_OVERDUE = 100


IsOutsider = Callable[[Command], bool]


def _no_outsiders(_: Command) -> bool:
    return False


@dataclass(slots=True)
class Inbox:
    """`size`: bytes queued or set aside. `suspects`: numbers of commands to try alone in a batch. `doomed`: numbers of
    commands that failed when they were tried alone.

    `aside`: commands that choose ids, and later commands with the same keys (`keys_aside`), while reservations cannot
    be trusted. `decided_to`: the offset after the last handled record. `abandoned_from`: the first offset that is left
    to the partition's next owner.
    """

    partition: int
    partitions: int
    max_commands: int
    rules: SenderRules = NO_RULES
    queue: deque[Arrival] = field(default_factory=deque)
    size: int = 0
    arrived: int = 0
    overdue: dict[str, OverdueRun] = field(default_factory=dict)
    suspects: set[int] = field(default_factory=set)
    doomed: set[int] = field(default_factory=set)
    aside: deque[Arrival] = field(default_factory=deque)
    keys_aside: set[str] = field(default_factory=set)
    decided_to: int = 0
    abandoned_from: int | None = None

    def __bool__(self) -> bool:
        return bool(self.queue or self.overdue)

    def clear(self) -> None:
        """Abandon all queued commands. Later commits do not go beyond the first of them."""
        self.abandoned_from = min((each.offset for each in (*self.aside, *self.queue)), default=self.abandoned_from)
        self.queue.clear()
        self.aside.clear()
        self.keys_aside.clear()
        self.size = 0
        self.overdue.clear()

    def add(self, records: Iterable[CommandRecord]) -> None:
        arrivals = [Arrival(number, record, size_of(record)) for number, record in enumerate(records, self.arrived)]
        self.arrived += len(arrivals)
        self.queue.extend(arrivals)
        self.size += sum(each.size for each in arrivals)

    def add_overdue(self, runs: Iterable[OverdueRun]) -> None:
        self.overdue.update((run.sync_run_id, run) for run in runs)

    def put_back(self, arrivals: Sequence[Arrival]) -> None:
        """Requeue the commands by number. The queue may have earlier ones, which the batch left out."""
        self._requeue(arrivals)
        self.size += sum(each.size for each in arrivals)

    def _requeue(self, arrivals: Iterable[Arrival]) -> None:
        self.queue = deque(sorted([*arrivals, *self.queue], key=lambda each: each.number))

    def take_overdue(self) -> list[TakenCommand]:
        """A batch of the shard's own commands. They are never put back: the next look-up finds the runs again."""
        runs = [self.overdue.pop(run_id) for run_id in list(self.overdue)[:MAX_OVERDUE]]
        return [command_to_time_out(run) for run in runs]

    def take(
        self, is_outsider: IsOutsider = _no_outsiders, *, set_aside: bool = False
    ) -> tuple[list[Arrival], list[TakenCommand]]:
        """The next batch: what has arrived, and the commands made from it. The commands of an org stay in order. A
        suspect is alone in its batch. A command with a filter is the only command of its org in the batch; later
        commands of the org wait for the next batch. With `set_aside`, commands that choose ids are set aside, and so
        are later commands of their orgs. `is_outsider` finds commands of outsiders: their filters are not looked up, so
        other commands may be in the batch.
        """
        arrivals: list[Arrival] = []
        taken: list[TakenCommand] = []
        deferred = Deferred(is_outsider)
        named = size = 0
        while self.queue and len(arrivals) < self.max_commands:
            head = self.queue[0]
            if size and size + head.size > MAX_TAKEN_BYTES:
                break
            size += head.size
            item = classify(head.record, self.partition, self.partitions, self.rules)
            if set_aside and self._must_set_aside(item):
                self.aside.append(self.queue.popleft())
                continue
            if deferred.defers(item):
                deferred.arrivals.append(self.queue.popleft())
                continue
            named += deferred.letters_named(item)
            is_suspect = head.number in self.suspects
            if arrivals and (is_suspect or named > MAX_NAMED):
                break
            arrivals.append(self.queue.popleft())
            taken.append(item)
            if is_suspect:
                break
        self.queue.extendleft(reversed(deferred.arrivals))
        self.size -= sum(each.size for each in arrivals)
        return arrivals, taken

    def _must_set_aside(self, item: TakenCommand) -> bool:
        if not isinstance(item, SentCommand) or not (id_to_reserve(item) or item.command.key in self.keys_aside):
            return False
        self.keys_aside.add(item.command.key)
        return True

    def requeue_aside(self) -> None:
        """Queue the commands that were set aside again, by number."""
        if self.aside:
            self._requeue(self.aside)
            self.aside.clear()
            self.keys_aside.clear()

    def mark_decided(self, arrivals: Sequence[Arrival]) -> int:
        """Note that these commands are handled. Returns the offset up to which all records are handled."""
        self.decided_to = max(self.decided_to, arrivals[-1].offset + 1)
        waiting = [each.offset for each in (*self.aside, *islice(self.queue, 1))]
        abandoned = [] if self.abandoned_from is None else [self.abandoned_from]
        return min([self.decided_to, *waiting, *abandoned])

    def mark_suspect(self, number: int) -> None:
        """A decider raised an exception for this command. It is tried alone next; if it was alone already, it will be
        refused.
        """
        (self.doomed if number in self.suspects else self.suspects).add(number)

    def mark_refused(self, arrivals: Sequence[Arrival]) -> None:
        """Kafka refused the batch. Each command is tried alone next; if there was only one, it will be refused."""
        (self.doomed if len(arrivals) == 1 else self.suspects).update(each.number for each in arrivals)

    def clear_marks(self, arrivals: Iterable[Arrival]) -> None:
        numbers = {each.number for each in arrivals}
        self.suspects -= numbers
        self.doomed -= numbers


@dataclass(slots=True)
class Deferred:
    """Commands that wait for the next batch: a filter is decided after all earlier commands of its org, and commands of
    other orgs do not wait for it. `seen`: keys that have a command in the batch. `closed`: keys of which the batch
    takes no more commands.
    """

    is_outsider: IsOutsider
    arrivals: list[Arrival] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    closed: set[str] = field(default_factory=set)

    def letters_named(self, item: TakenCommand) -> int:
        """How many dead letters are looked up for the command. For an outsider's filter there is no look-up."""
        if not isinstance(item, SentCommand) or (filter_of(item.command) and self.is_outsider(item.command)):
            return 0
        return letters_named(item.command)

    def defers(self, item: TakenCommand) -> bool:
        """Whether the command must wait. If not, the caller must take it into the batch."""
        if not isinstance(item, SentCommand):
            return False
        key, has_filter = item.command.key, filter_of(item.command) is not None
        if has_filter and key not in self.seen and key not in self.closed and self.is_outsider(item.command):
            return False  # no earlier command of the batch can make the actor a member
        if key in self.closed or (has_filter and key in self.seen):
            self.closed.add(key)
            return True
        self.seen.add(key)
        if has_filter:
            self.closed.add(key)
        return False
