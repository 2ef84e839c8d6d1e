"""Shards of one partition in one thread: a log, a projection and two writers that are both always active.

A seeded scheduler picks what happens next: appends land, or land late, or their acknowledgement is lost; writers
crash; the projector lags. Nothing here sleeps or does I/O, so thousands of schedules run in a minute.
"""

import json
import random
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from daybook_command.domain.evolve import evolve
from daybook_command.domain.state import Org
from daybook_command.shard.lookup import Checkpoint, Needs, Snapshot
from daybook_command.shard.machine import Config, Phase, Shard
from daybook_command.shard.messages import (
    Acknowledged,
    Answer,
    Answered,
    Append,
    CommandRecord,
    CommandsArrived,
    Commit,
    Effect,
    Event,
    GapRead,
    LoadSnapshot,
    LogRecord,
    OutcomeUnknown,
    OverdueRun,
    ReadGap,
    RunsOverdue,
    SnapshotLoaded,
    Stop,
    TakenOver,
    TakeOver,
    Tick,
)
from daybook_contracts.admission import GENESIS, Head, VoidReason, admit
from daybook_contracts.entries import Entry, entry_data, read_entry
from daybook_contracts.topics import CORRELATION_ID, PRINCIPAL, REPLY_PARTITION
from support.rows_of_orgs import loaded_org

CONFIG = Config(partitions=1, cache_orgs=4, max_tail=1_000, managed_users=True, max_commands=5)
START_US = 1_800_000_000_000_000


@dataclass
class Projection:
    """PostgreSQL, as far as a shard looks: the checkpoint, the entries and the orgs that follow from them."""

    checkpoint: Checkpoint = field(default_factory=lambda: Checkpoint(0, GENESIS, -1))
    entries: dict[str, Entry] = field(default_factory=dict)
    orgs: dict[str, Org | None] = field(default_factory=dict)

    def advance(self, log: list[bytes], stop: int) -> None:
        for offset in range(self.checkpoint.next_offset, stop):
            verdict = admit(self.checkpoint.head, 0, log[offset])
            if isinstance(verdict, VoidReason):
                self.checkpoint = Checkpoint(offset + 1, self.checkpoint.head, self.checkpoint.head_offset)
                continue
            self.checkpoint = Checkpoint(offset + 1, verdict, offset)
            entry = read_entry(log[offset])
            self.entries[entry.id] = entry
            if entry.org_id is not None and entry.result == "success":
                before = self.orgs.get(entry.org_id)
                self.orgs[entry.org_id] = evolve(before, entry.actor_user_id, entry_data(entry))

    def entries_of_commands(self, first_ids: Iterable[str]) -> dict[str, Entry | None]:
        """Also those behind the first: a command's entries are projected together."""
        ids = {self.entries[id_].metadata_json.command_id for id_ in first_ids if id_ in self.entries}
        return {id_: entry for id_, entry in self.entries.items() if entry.metadata_json.command_id in ids}

    def running(self) -> list[OverdueRun]:
        """All of them are taken for overdue."""
        orgs = [(org_id, org) for org_id, org in self.orgs.items() if org is not None]
        return [
            OverdueRun(org_id, run_id)
            for org_id, org in orgs
            for run_id, run in org.runs.items()
            if run.status == "running"
        ]


@dataclass
class Writer:
    """One instance's shard and the effects that it waits for."""

    shard: Shard
    todo: deque[Effect]
    position: int = 0


class World:
    def __init__(self, seed: int, commands: list[CommandRecord], users: frozenset[str]) -> None:
        self.random = random.Random(seed)
        self.commands = commands
        self.users = users
        self.log: list[bytes] = []
        self.late: list[tuple[bytes, ...]] = []
        self.projection = Projection()
        self.committed = 0
        self.answers: dict[str, set[bytes]] = {}
        self.owners: dict[str, str] = {}
        self.stopped: list[str] = []
        self.now_us = START_US
        self.faults = True
        self.writers = [self._new_writer(), self._new_writer()]

    def run(self, steps: int) -> None:
        """A stormy stretch of so many steps, then calm weather until every command is answered."""
        for _ in range(steps):
            self.step()
        self.faults = False
        for _ in range(20_000):
            if self.committed == len(self.commands):
                return
            self.step()
        raise AssertionError(f"only {self.committed} of {len(self.commands)} commands were answered in the end")

    def take(self, *records: CommandRecord) -> list[Entry]:
        """Fair weather: the first writer alone decides these, one batch each; the entries that they came to."""
        self.faults = False
        before = len(self.log)
        writer = self.writers[0]
        for record in records:
            self.commands.append(record)
            while self.committed < len(self.commands):
                self._work(writer)
        return [read_entry(value) for value in self.log[before:]]

    def replace_first(self) -> None:
        """Its successor takes the partition over, and knows only what the tables and the log say."""
        self.writers[0] = self._new_writer()

    def project(self) -> None:
        self.projection.advance(self.log, len(self.log))

    def step(self) -> None:
        self.now_us += self.random.randrange(5_000)
        choice = self.random.random()
        if choice < 0.15:
            self.projection.advance(
                self.log, self.random.randint(self.projection.checkpoint.next_offset, len(self.log))
            )
        elif choice < 0.20 and self.late:
            self.log.extend(self.late.pop(self.random.randrange(len(self.late))))
        elif choice < 0.21 and self.faults:
            self.writers[self.random.randrange(2)] = self._new_writer()
        elif choice < 0.23:
            self._tell(self.random.choice(self.writers), RunsOverdue(self.projection.running()))
        else:
            self._work(self.random.choice(self.writers))

    def _new_writer(self) -> Writer:
        shard = Shard.of(0, CONFIG)
        return Writer(shard, deque(shard.start()), self.committed)

    def _work(self, writer: Writer) -> None:
        if writer.shard.phase is Phase.STOPPED:
            return
        if writer.todo:
            self._carry_out(writer, writer.todo.popleft())
        elif writer.position < len(self.commands):
            count = self.random.randint(1, 7)
            records = self.commands[writer.position : writer.position + count]
            writer.position += len(records)
            self._tell(writer, CommandsArrived(records))
        else:
            self._tell(writer, Tick())

    def _tell(self, writer: Writer, event: Event) -> None:
        writer.todo.extend(writer.shard.handle(event))

    def _carry_out(self, writer: Writer, effect: Effect) -> None:
        match effect:
            case TakeOver():
                self._tell(writer, self._taken_over())
            case LoadSnapshot():
                snapshot = self._snapshot(effect)
                self._tell(writer, SnapshotLoaded(snapshot, self.now_us, self.random.randbytes(16 * effect.commands)))
            case Append():
                self._append(writer, effect)
            case ReadGap():
                self._tell(writer, GapRead(self._records(effect.start, effect.stop)))
            case Answer():
                self._answer(writer, effect)
            case Commit():
                self.committed = max(self.committed, effect.next_offset)
            case Stop():
                self.stopped.append(effect.reason)
            case _:
                pass  # reports and holds are for people

    def _taken_over(self) -> TakenOver:
        checkpoint = self.projection.checkpoint
        start = max(checkpoint.head_offset, 0)
        return TakenOver(checkpoint, self._records(start, len(self.log)), 0, len(self.log))

    def _append(self, writer: Writer, append: Append) -> None:
        """Landed and acknowledged, landed in silence, landed without an offset, on its way, or lost."""
        values = tuple(record.value for record in append.records)
        fate = self.random.random() if self.faults else 1.0
        if fate < 0.05:
            self._tell(writer, OutcomeUnknown())
        elif fate < 0.12:
            self.late.append(values)
            self._tell(writer, OutcomeUnknown())
        else:
            base = len(self.log)
            self.log.extend(values)
            if fate < 0.20:
                self._tell(writer, OutcomeUnknown())
            else:
                self._tell(writer, Acknowledged(None if fate < 0.25 else base))

    def _answer(self, writer: Writer, answer: Answer) -> None:
        for reply in answer.replies:
            self.answers.setdefault(reply.command_id, set()).add(reply.value)
        self._tell(writer, Answered(answer.next_offset))

    def _records(self, start: int, stop: int) -> list[LogRecord]:
        return [LogRecord(offset, self.log[offset]) for offset in range(start, stop)]

    def _snapshot(self, load: LoadSnapshot) -> Snapshot:
        projection, needs = self.projection, load.needs
        return Snapshot(
            checkpoint=projection.checkpoint,
            database_us=self.now_us,
            entries=projection.entries_of_commands(needs.entry_ids),
            orgs={need.org_id: loaded_org(projection.orgs.get(need.org_id), need) for need in needs.orgs},
            known_users=self.users,
            taken_ids=self._taken(needs),
        )

    def _taken(self, needs: Needs) -> frozenset[tuple[str, str]]:
        """An id that is chosen belongs to the first org that asks for it, as PostgreSQL has it: by id within a look."""
        asked = [(org_id, chosen_id) for _, chosen_id, org_id in needs.chosen_ids]
        for org_id, chosen_id in sorted(asked):
            self.owners.setdefault(chosen_id, org_id)
        return frozenset(pair for pair in asked if self.owners[pair[1]] != pair[0])

    def admitted(self) -> list[Entry]:
        """The log as any reader has it."""
        head: Head = GENESIS
        entries = []
        for value in self.log:
            verdict = admit(head, 0, value)
            if not isinstance(verdict, VoidReason):
                head = verdict
                entries.append(read_entry(value))
        return entries


def command_record(offset: int, envelope: dict[str, object]) -> CommandRecord:
    headers = ((PRINCIPAL, b"service:test"), (REPLY_PARTITION, b"0"), (CORRELATION_ID, str(envelope["id"]).encode()))
    return CommandRecord(offset, None, json.dumps(envelope).encode(), headers, START_US // 1000)
