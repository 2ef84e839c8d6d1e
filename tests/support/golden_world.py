"""Plays the golden transcript: a shard and a projector for each partition, in memory, with a seeded clock, seeded salts
and seeded faults. It uses only the shard's events and effects and the projector's batches, not their internals.
"""

import json
from collections import defaultdict, deque
from collections.abc import Iterable
from random import Random
from typing import assert_never

from msgspec.structs import replace

from daybook_command.kafka.answer_records import records_of
from daybook_command.kafka.log_writer import log_record
from daybook_command.shard import effects, events
from daybook_command.shard.machine import Shard
from daybook_command.shard.records import CommandRecord, LogRecord
from daybook_command.shard.state import ShardConfig
from daybook_contracts.routing import partition_of
from daybook_contracts.topics import CORRELATION_ID
from daybook_projector.partition.machine import PartitionLog
from support.golden_commands import Sent
from support.golden_notes import TOPICS, Notes
from support.golden_postgres import Postgres
from support.logbook import Logbook, thing
from support.surroundings import START_US

HOUR_US = 3_600_000_000
REFUSED = "07"
"""The broker refuses every batch that has an entry of a command whose id ends with this."""


class World:
    """`book` is the log and `topics` the commands topic, by partition. The first command has the number `first`."""

    def __init__(self, config: ShardConfig, book: Logbook, users: frozenset[str], first: int) -> None:
        self.config, self.book, self.notes = config, book, Notes(first)
        self.postgres = Postgres(config.partitions, users, managed_users=config.managed_users)
        self.draws: defaultdict[str, int] = defaultdict(int)
        self.partitions = range(config.partitions)
        self.topics: list[list[CommandRecord]] = [[] for _ in self.partitions]
        self.undelivered: list[list[CommandRecord]] = [[] for _ in self.partitions]
        self.committed, self.takeovers = ([0 for _ in self.partitions] for _ in range(2))
        start = self.postgres.stored.checkpoint
        self.readers = [PartitionLog(at, start(at), partitions=config.partitions) for at in self.partitions]
        self.shards = [Shard.of(at, config) for at in self.partitions]
        for at in self.partitions:
            self._carry_out(at, self.shards[at].start())

    def play(self, sent: Sent) -> None:
        """Sends a command. Then, at random, delivers, projects, reports overdue runs, or replaces a shard."""
        draw = self._draw("step")
        self._send(sent)
        at = draw.choice(self.partitions)
        if draw.random() < 0.3:
            self._deliver(at)
        if draw.random() < 0.1:
            self._project(at)
        if draw.random() < 0.006:
            self._overdue(at, draw)
        if draw.random() < 0.004:
            self._replace_shard(at)
        if self.notes.now % 40 == 0:
            self._settle()
        self.notes.now += 1

    def finish(self) -> None:
        """Decides, answers and projects all that is left."""
        self.notes.now -= 1
        for _ in range(5):
            self._settle()
            for at in self.partitions:
                self._project(at)

    def _draw(self, what: str) -> Random:
        """A generator for the next event of this kind. It does not depend on how many events of other kinds
        there were.
        """
        self.draws[what] += 1
        return Random(f"{what} {self.draws[what]} {self.config.managed_users}")

    @property
    def _now_us(self) -> int:
        return START_US + 1000 * self.notes.now

    def _send(self, sent: Sent) -> None:
        home = (partition_of(sent.key, self.config.partitions) + sent.astray) % self.config.partitions
        if not sent.kind.startswith("("):
            self.notes.sent(json.loads(sent.value or b"")["id"])
        lost = sent.offsets > 1
        headers = () if lost else (*sent.headers, (CORRELATION_ID, b"%d" % self.notes.now))
        key = None if sent.value is None else sent.key.encode()
        self._add(home, CommandRecord(0, key, sent.value, headers, self._now_us // 1000), sent.offsets)

    def _add(self, at: int, record: CommandRecord, offsets: int = 1) -> None:
        first = self.topics[at][-1].offset + 1 if self.topics[at] else 0
        self.notes.arrived(at, first)
        record = replace(record, offset=first + offsets - 1, lost_from=first if offsets > 1 else None)
        self.topics[at].append(record)
        self.undelivered[at].append(record)

    def _settle(self) -> None:
        for at in self.partitions:
            self._deliver(at)
        for at in self.partitions:
            self._tell(at, events.Tick())

    def _deliver(self, at: int) -> None:
        records, self.undelivered[at] = self.undelivered[at], []
        if records:
            self._tell(at, events.CommandsArrived(records))

    def _overdue(self, at: int, draw: Random) -> None:
        """If syncs are running, reports up to two of them, and one that does not exist."""
        running = self.postgres.stored.running(at, self.config.partitions)
        runs = sorted(running, key=lambda run: run.sync_run_id)
        unknown = [replace(run, sync_run_id=thing(99)) for run in runs[:1]]
        self._tell(at, events.RunsOverdue([*draw.sample(runs, min(2, len(runs))), *unknown]))

    def _replace_shard(self, at: int) -> None:
        """A new shard takes over the partition and reads from the committed offset."""
        self.shards[at], self.takeovers[at] = Shard.of(at, self.config), 0
        self.undelivered[at] = [each for each in self.topics[at] if each.offset >= self.committed[at]]
        self._carry_out(at, self.shards[at].start())

    def _tell(self, at: int, event: events.Event) -> None:
        self._carry_out(at, self.shards[at].handle(event))

    def _carry_out(self, at: int, asked: Iterable[effects.Effect]) -> None:
        todo = deque(asked)
        while todo:
            for event in self._events(at, todo.popleft()):
                todo.extend(self.shards[at].handle(event))

    def _events(self, at: int, effect: effects.Effect) -> list[events.Event]:
        """Carries out an effect; returns the events that result from it."""
        match effect:
            case effects.TakeOver():
                checkpoint, end = self.postgres.stored.checkpoint(at), len(self.book.records[at])
                ends = {number: len(each) for number, each in enumerate(self.book.records)}
                self.takeovers[at] += 1
                read = events.LogRead(self._read(at, checkpoint.first_to_read, end), end)
                return [events.LogOpened(checkpoint, 0, end), read, events.EndsRead(self.takeovers[at] - 1, ends)]
            case effects.LoadSnapshot(needs, commands):
                draw = self._draw(f"look {at} {commands > 0}")
                database_us = self._now_us + (HOUR_US if draw.random() < 0.003 else 0)
                snapshot = self.postgres.snapshot(at, needs, database_us)
                return [events.SnapshotLoaded(snapshot, self._now_us, draw.randbytes(16 * commands))]
            case effects.Pin(user_ids):
                return [events.Pinned(self._pin(user_ids))]
            case effects.Append(records):
                return [self._append(at, records)]
            case effects.ReadGap(start, stop):
                return [events.GapRead(self._read(at, start, stop))]
            case effects.Answer(next_offset=next_offset):
                for each in records_of(TOPICS, at, effect):
                    self.notes.published(each)
                    if each.topic == TOPICS.commands:
                        headers, now_ms = tuple(each.headers), self._now_us // 1000
                        self._add(each.partition, CommandRecord(0, each.key, each.value, headers, now_ms))
                return [events.Answered(next_offset)]
            case effects.Commit() | effects.Report() | effects.Hold():
                return self._noted(at, effect)
            case effects.Stop() | effects.AnswerLocally() | effects.HandBack():
                raise AssertionError(effect)
            case _:
                assert_never(effect)

    def _noted(self, at: int, effect: effects.Commit | effects.Report | effects.Hold) -> list[events.Event]:
        match effect:
            case effects.Commit(next_offset):
                self.committed[at] = next_offset
                self.notes.add(f"commit {at} {next_offset}")
            case effects.Report(kind):
                self.notes.add(f"report {at} {kind}")
            case effects.Hold(None):
                self.notes.add(f"go on {at}")
            case effects.Hold():
                self.notes.add(f"hold {at}")
                self._project(at)
                return [events.Tick()]
        return []

    def _read(self, at: int, start: int, stop: int) -> list[LogRecord]:
        return [LogRecord(offset, self.book.records[at][offset]) for offset in range(start, stop)]

    def _pin(self, user_ids: frozenset[str]) -> frozenset[str]:
        """Pins the users, except at most one (at random) that the identity provider has just deleted. Returns the
        deleted user.
        """
        new = sorted(user_ids - self.postgres.pinned)
        gone = frozenset(new[:1] if self._draw("pin").random() < 0.3 else [])
        self.postgres.pin(user_ids, gone)
        self.notes.add(f"pin {sorted(user_ids)} gone {sorted(gone)}")
        return gone

    def _append(self, at: int, records: Iterable[effects.LogAppend]) -> events.Event:
        """Appends and acknowledges most batches; a few meet a fault."""
        draw, log, values = self._draw(f"append {at}"), self.book.records[at], list[bytes]()
        for each in records:
            key, value, headers = log_record(each)
            command_id = self.notes.appended(f"{at} {len(values)}", key or b"", tuple(headers), value)
            if command_id.endswith(REFUSED):
                return events.AppendRefused("refused for good")
            values.append(each.value)
        fate = draw.random()
        if fate < 0.02:  # not appended, not acknowledged
            return events.AppendUnknown()
        if fate > 0.98:  # after a void record of another writer
            self.book.void(at)
        log.extend(values)
        if fate < 0.04:  # appended, not acknowledged
            return events.AppendUnknown()
        if fate < 0.06:  # acknowledged without an offset
            return events.Acknowledged(None)
        if fate < 0.07:  # another writer appended the same entries first
            log.extend(values)
        return events.Acknowledged(len(log) - len(values))

    def _project(self, at: int) -> None:
        reader = self.readers[at]
        voids = reader.take(self._read(at, reader.next_to_read, len(self.book.records[at])))
        while (batch := reader.next_batch(50)) is not None:
            self.postgres.post(batch)
            reader.mark_projected(batch)
        reasons = sorted((str(reason), count) for reason, count in voids.reasons.items())
        self.notes.add(f"projected {at} {reader.next_to_read} voids {reasons}")
