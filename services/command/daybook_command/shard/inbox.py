"""The queues of a shard: records of the commands topic, local commands, and overdue sync runs. Makes the next batch.

Keys take turns only in the queue of local commands. Some commands must be alone in their batch, and a batch with large
commands has fewer commands.
"""

import sys
from bisect import insort
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count, islice

from daybook_command.shard.arrivals import Arrival, offsets_of, size_of, tickets_of
from daybook_command.shard.deferred import Deferred, IsOutsider
from daybook_command.shard.events import OverdueRun
from daybook_command.shard.intake import SentCommand, TakenCommand, classify, command_to_time_out
from daybook_command.shard.local_queue import LocalQueue
from daybook_command.shard.needs import id_to_reserve
from daybook_command.shard.records import CommandRecord
from daybook_contracts.commands.registry import Command
from daybook_contracts.limits import ENVELOPE_BYTES
from daybook_contracts.senders.sender_rules import NO_RULES, SenderRules

# Dead letters that one batch looks up, at most. A snapshot reads about this many in a tenth of a second.
MAX_NAMED = 5_000
# Parsing a batch blocks the event loop: with this limit, about as long as parsing one envelope of maximum size.
MAX_TAKEN_BYTES = ENVELOPE_BYTES
# Failing an overdue run makes at most three entries.
MAX_OVERDUE = 100


def _no_outsiders(_: Command) -> bool:
    return False


@dataclass(slots=True)
class Inbox:
    """`queue`: records in the order of arrival. `size`: bytes of records, queued or set aside. `local`: the queue of
    local commands. `most_local`: how many of them the next batch may take. `suspects`: numbers of commands to try alone
    in a batch. `doomed`: numbers of commands that failed when they were tried alone.

    `aside`: commands that choose ids, and later commands with the same keys (`keys_aside`), while reservations cannot
    be trusted. `deferred`: what was read from deferred records, by number, so that the next batch need not parse them
    again. `read_to`: the offset after the last record that arrived. `decided_to`: the offset after the last handled
    record. `abandoned_from`: the first offset that is left to the partition's next owner. `most_overdue`: how many
    overdue runs the next batch may take.
    """

    partition: int
    partitions: int
    max_commands: int
    rules: SenderRules = NO_RULES
    queue: deque[Arrival] = field(default_factory=deque)
    size: int = 0
    local: LocalQueue = field(default_factory=LocalQueue)
    most_local: int = sys.maxsize
    numbers: Iterator[int] = field(default_factory=count)
    read_to: int = 0
    overdue: dict[str, OverdueRun] = field(default_factory=dict)
    most_overdue: int = MAX_OVERDUE
    suspects: set[int] = field(default_factory=set)
    doomed: set[int] = field(default_factory=set)
    aside: deque[Arrival] = field(default_factory=deque)
    keys_aside: set[str] = field(default_factory=set)
    deferred: dict[int, TakenCommand] = field(default_factory=dict)
    decided_to: int = 0
    abandoned_from: int | None = None

    def __bool__(self) -> bool:
        return bool(self.queue or self.local.line or self.overdue)

    @property
    def has_next(self) -> bool:
        """Whether there is anything that the next batch may take."""
        return bool(self.queue or self.overdue or (self.local.line and self.most_local))

    def clear(self) -> list[bytes]:
        """Abandon all queued commands. Later commits do not go beyond the first of them. Returns the tickets of the
        local ones.
        """
        withdrawn = self.withdraw_all()
        self.abandoned_from = min(offsets_of((*self.aside, *self.queue)), default=self.abandoned_from)
        self.queue.clear()
        self.aside.clear()
        self.keys_aside.clear()
        self.deferred.clear()
        self.size = 0
        self.overdue.clear()
        return withdrawn

    def add(self, records: Iterable[CommandRecord]) -> None:
        for record in records:
            arrival = Arrival(number=next(self.numbers), content=record, size=size_of(record), offset=record.offset)
            self.queue.append(arrival)
            self.size += arrival.size
            self.read_to = record.offset + 1

    def add_local(self, commands: Iterable[SentCommand]) -> None:
        for command in commands:
            self.local.add(next(self.numbers), command, size_of(command.record))

    def withdraw(self, tickets: Collection[bytes]) -> list[bytes]:
        """Take these local commands out of the queue. Returns the tickets of those that were in it."""
        found = [each for each in (*self.aside, *self.local.line) if each.ticket in tickets]
        self.aside = deque(each for each in self.aside if each.ticket not in tickets)
        self.local.remove(tickets)
        self._charge(found, -1)
        self.clear_marks(found)
        return tickets_of(found)

    def withdraw_all(self) -> list[bytes]:
        return self.withdraw(set(tickets_of((*self.aside, *self.local.line))))

    def add_overdue(self, runs: Iterable[OverdueRun]) -> None:
        self.overdue.update((run.sync_run_id, run) for run in runs)

    def put_back(self, arrivals: Sequence[Arrival]) -> None:
        """Queue the commands again, at their places. The queues may have earlier ones, which the batch left out."""
        self._requeue(arrivals)
        self._charge(arrivals, 1)

    def _requeue(self, arrivals: Iterable[Arrival]) -> None:
        for each in arrivals:
            if each.offset is None:
                self.local.requeue(each)
            else:
                insort(self.queue, each)

    def _charge(self, arrivals: Iterable[Arrival], sign: int) -> None:
        for each in arrivals:
            if each.offset is None:
                self.local.charge(each, sign)
            else:
                self.size += sign * each.size

    def take_overdue(self) -> list[TakenCommand]:
        """A batch of the shard's own commands. They are never put back: the next look-up finds the runs again."""
        runs = [self.overdue.pop(run_id) for run_id in list(self.overdue)[: self.most_overdue]]
        return [command_to_time_out(run) for run in runs]

    def take(
        self, is_outsider: IsOutsider = _no_outsiders, *, set_aside: bool = False
    ) -> tuple[list[Arrival], list[TakenCommand]]:
        """The next batch: its arrivals, and the commands made from them. Takes records and local commands in turn,
        beginning with what arrived first. A suspect is alone in its batch. A command with a filter is the only one of
        its org (`Deferred`). With `set_aside`, commands that choose ids, and later ones with their keys, are set aside.
        """
        arrivals: list[Arrival] = []
        taken: list[TakenCommand] = []
        deferred = Deferred(is_outsider)
        named = size = local = 0
        given = (self.queue, self.local.line if self.most_local else None)
        lines = deque(sorted(filter(None, given), key=lambda line: line[0].number))
        while lines and len(arrivals) < self.max_commands:
            line = lines.popleft()
            head = line[0]
            if size and size + head.size > MAX_TAKEN_BYTES:
                break
            size += head.size
            item = self._read(head)
            if self._leaves_out(head, item, deferred, set_aside=set_aside):
                line.popleft()
            else:
                named += deferred.letters_named(item)
                if arrivals and named > MAX_NAMED:
                    break
                is_suspect = head.number in self.suspects
                if is_suspect and arrivals:
                    continue  # this line waits for the next batch
                arrivals.append(line.popleft())
                taken.append(item)
                local += head.offset is None
                if is_suspect:
                    break
            if line and (line is self.queue or local < self.most_local):
                lines.append(line)
        self._requeue(deferred.arrivals)
        self.local.taken(arrivals)
        self._charge(arrivals, -1)
        return arrivals, taken

    def _leaves_out(self, head: Arrival, item: TakenCommand, deferred: Deferred, *, set_aside: bool) -> bool:
        """Whether the batch must leave the command out. If so, sets the command aside or defers it."""
        if set_aside and self._must_set_aside(item):
            self.aside.append(head)
            return True
        if not deferred.defers(item):
            return False
        deferred.arrivals.append(head)
        if head.offset is not None:
            self.deferred[head.number] = item
        return True

    def _read(self, arrival: Arrival) -> TakenCommand:
        match arrival.content:
            case CommandRecord() as record:
                known = self.deferred.pop(arrival.number, None)
                return known or classify(record, self.partition, self.partitions, self.rules)
            case SentCommand() as command:
                return command

    def _must_set_aside(self, item: TakenCommand) -> bool:
        if not isinstance(item, SentCommand) or not (id_to_reserve(item) or item.command.key in self.keys_aside):
            return False
        self.keys_aside.add(item.command.key)
        return True

    def requeue_aside(self) -> None:
        """Put the commands that were set aside back into the queues, at their places."""
        self._requeue(self.aside)
        self.aside.clear()
        self.keys_aside.clear()  # it may have keys of commands that were withdrawn

    def mark_decided(self, arrivals: Sequence[Arrival]) -> int | None:
        """Note that these commands are handled. Returns the offset below which all records are handled; None if there
        is no record among these commands.
        """
        offsets = offsets_of(arrivals)
        if not offsets:
            return None
        self.decided_to = max(self.decided_to, offsets[-1] + 1)
        abandoned = [] if self.abandoned_from is None else [self.abandoned_from]
        return min([self.decided_to, *self.waiting_offsets(), *abandoned])

    def waiting_offsets(self) -> list[int]:
        """The offsets of the records that were set aside, and of the first record in the queue."""
        return offsets_of((*self.aside, *islice(self.queue, 1)))

    def mark_suspect(self, number: int) -> None:
        """A decider raised an exception for this command. It is tried alone next; if it was alone already, it will be
        refused.
        """
        (self.doomed if number in self.suspects else self.suspects).add(number)

    def mark_refused(self, arrivals: Sequence[Arrival]) -> None:
        """Kafka refused the batch, or PostgreSQL its look-up. Each command is tried alone next; if there was only one,
        it will be refused.
        """
        (self.doomed if len(arrivals) == 1 else self.suspects).update(each.number for each in arrivals)

    def doomed_places(self, arrivals: Sequence[Arrival]) -> set[int]:
        """The places in the batch of the commands that will be refused."""
        return {place for place, each in enumerate(arrivals) if each.number in self.doomed}

    def clear_marks(self, arrivals: Iterable[Arrival]) -> None:
        numbers = {each.number for each in arrivals}
        self.suspects -= numbers
        self.doomed -= numbers
