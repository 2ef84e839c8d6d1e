"""The protocol of a shard: fold, admit, append, lost, unknown, takeover. Events in, effects out, no I/O, no clock.

At any time at most one of TakeOver, LoadSnapshot, Pin, Append and ReadGap is under way; answers go out beside them.
"""

from dataclasses import dataclass, field
from typing import assert_never

from daybook_command.shard.answers import Answers
from daybook_command.shard.batch import Deciding, Moment
from daybook_command.shard.config import Config
from daybook_command.shard.doubts import clock_fault, doubt
from daybook_command.shard.gap import read_gap
from daybook_command.shard.in_flight import Flight
from daybook_command.shard.inbox import Inbox
from daybook_command.shard.lookup import Needs
from daybook_command.shard.memory import Memory
from daybook_command.shard.messages import (
    Acknowledged,
    Answered,
    Append,
    AppendRefused,
    AppendUnknown,
    CommandsArrived,
    Commit,
    Effect,
    EndsRead,
    Event,
    GapRead,
    Hold,
    LoadSnapshot,
    Pin,
    Pinned,
    ReadGap,
    Report,
    RunsOverdue,
    SnapshotLoaded,
    Stop,
    TakenOver,
    TakeOver,
    Tick,
)
from daybook_command.shard.needs import needs_of
from daybook_command.shard.orgs import OrgCache
from daybook_command.shard.phase import EXPECTED, ShardPhase
from daybook_command.shard.reservations import still_awaited
from daybook_command.shard.takeover import take_over
from daybook_contracts.log.continuity import LogChanged


@dataclass(slots=True)
class Shard:
    """`takeovers`: how often it was taken over again. `held` says why the shard waits."""

    partition: int
    config: Config
    memory: Memory
    inbox: Inbox
    phase: ShardPhase = ShardPhase.TAKING_OVER
    flight: Flight = field(default_factory=Flight)
    takeovers: int = 0
    held: str | None = None

    @classmethod
    def of(cls, partition: int, config: Config) -> "Shard":
        inbox = Inbox(partition, config.partitions, config.max_commands, config.rules)
        return cls(partition, config, Memory(partition, OrgCache(config.cache_orgs)), inbox)

    @property
    def idle(self) -> bool:
        """Nothing is queued and no batch is under way, answers apart."""
        return not self.inbox and not self.flight.taken and self.phase is not ShardPhase.LOADING

    def oldest_ms(self) -> int | None:
        """Kafka's timestamp of the oldest command not decided yet."""
        waiting = self.inbox.aside or self.flight.records or self.inbox.queue
        return waiting[0].timestamp_ms if waiting else None

    def handle(self, event: Event) -> list[Effect]:
        """The next state, and what has to be done for it. An event that is not of the phase does nothing."""
        if self.phase is not EXPECTED.get(type(event), self.phase):
            return []
        match event:
            case CommandsArrived() | RunsOverdue() | EndsRead():
                return self._arrived(event)
            case TakenOver():
                return self._taken_over(event)
            case SnapshotLoaded():
                return self._loaded(event)
            case Pinned():
                return self._pinned(event.gone)
            case Acknowledged():
                return self._acknowledged(event.base_offset)
            case GapRead():
                return self._gap_read(event)
            case AppendUnknown():
                return self._start_over("unknown", "the append was not acknowledged in time")
            case AppendRefused():
                return self._refused(event.reason)
            case Answered():
                return [Commit(event.next_offset)]
            case Tick():
                return self._tick()
            case _:
                assert_never(event)

    def _arrived(self, event: CommandsArrived | RunsOverdue | EndsRead) -> list[Effect]:
        if self.phase is ShardPhase.STOPPED:
            return []
        match event:
            case CommandsArrived():
                self.inbox.add(event.records)
            case RunsOverdue():
                self.inbox.look_at(event.runs)
            case EndsRead() if event.takeover == self.takeovers:
                self.memory.awaited = event.ends
            case EndsRead():
                pass  # what was asked for an earlier takeover may be from before PostgreSQL was lost
            case _:
                assert_never(event)
        return self._next()

    def start(self) -> list[Effect]:
        return [TakeOver()]

    def _taken_over(self, event: TakenOver) -> list[Effect]:
        try:
            self.memory, reports = take_over(event, self.partition, self.config.cache_orgs)
        except LogChanged as changed:
            return self._stop(str(changed))
        self.phase = ShardPhase.READY
        return [*reports, *self._next()]

    def _next(self) -> list[Effect]:
        """Start the next batch, if the shard is free to."""
        if self.phase is not ShardPhase.READY or self.held is not None:
            return []
        if self.memory.awaited == {}:
            self.inbox.take_back()
        if not self.inbox:
            return []
        if self._tail_is_full():
            return self._hold(f"{len(self.memory.tail)} entries wait for the projector")
        if self.inbox.overdue:
            self.flight = Flight(taken=self.inbox.take_overdue())
        else:
            self.flight = Flight(*self.inbox.take_records(self.memory.is_outsider, set_aside=self.memory.awaited != {}))
            if not self.flight.records:
                return self._look() if self.inbox.queue else []
        self.flight.needs = needs_of(self.flight.taken, self.memory)
        self.phase = ShardPhase.LOADING
        return [LoadSnapshot(self.flight.needs, len(self.flight.taken))]

    def _tail_is_full(self) -> bool:
        return self.memory.tail.weight > self.config.max_tail

    def _hold(self, reason: str) -> list[Effect]:
        changed = reason != self.held
        self.held = reason
        return [Hold(reason)] if changed else []

    def _tick(self) -> list[Effect]:
        """Look again at what the shard waits for: a snapshot tells both the clock and the checkpoint."""
        if self.phase is not ShardPhase.READY or (self.held is None and not self.inbox.aside):
            return []
        return self._look()

    def _look(self) -> list[Effect]:
        """A look-up that brings no commands."""
        self.phase = ShardPhase.LOADING
        self.flight = Flight(needs=Needs(next_offsets=bool(self.memory.awaited)))
        return [LoadSnapshot(self.flight.needs, 0)]

    def _loaded(self, event: SnapshotLoaded) -> list[Effect]:
        reason = doubt(self.memory, event.snapshot.checkpoint)
        if reason is not None:
            return self._start_over("retake", reason)
        reason = clock_fault(self.memory, event.now_us, event.snapshot.database_us)
        if reason is not None:
            self._requeue()
            self.phase = ShardPhase.READY
            return self._hold(reason)
        if self.memory.awaited is not None and self.flight.needs.next_offsets:
            self.memory.awaited = still_awaited(self.memory.awaited, event.snapshot.next_offsets)
        self.flight.projected = event.snapshot.checkpoint.head.position
        if not self.flight.taken:
            return self._released()
        return self._decide(event)

    def _released(self) -> list[Effect]:
        """A look that brought no commands: forget what is projected, and go on if that was what was missing."""
        self.memory.settle(self.flight.projected)
        self.phase = ShardPhase.READY
        if self._tail_is_full():
            return self._hold(f"{len(self.memory.tail)} entries wait for the projector")
        held, self.held = self.held, None
        return [*([] if held is None else [Hold(None)]), *self._next()]

    def _decide(self, event: SnapshotLoaded) -> list[Effect]:
        snapshot, memory, flight = event.snapshot, self.memory, self.flight
        memory.take_in(snapshot, flight.needs.orgs)
        flight.base = memory.head
        deciding = Deciding(
            memory,
            snapshot,
            flight.needs,
            Moment(event.now_us, event.salts),
            Answers(self.partition),
            self.config.managed_users,
            self.inbox.doomed,
        )
        deciding.run(flight.taken)
        reports = self._cut(deciding)
        flight.appends = tuple(deciding.appends)
        flight.answer = deciding.answers.seal(self.inbox.decided(flight.records)) if flight.records else None
        if not deciding.appends:
            return [*reports, *self._finish()]
        unpinned = deciding.named_users - snapshot.pinned_users
        if unpinned and not self.config.managed_users:
            self.phase = ShardPhase.PINNING
            return [*reports, Pin(frozenset(unpinned))]
        return [*reports, *self._append()]

    def _pinned(self, gone: frozenset[str]) -> list[Effect]:
        """Entries may name users only who stay until they are projected: their columns are foreign keys."""
        if gone:
            return self._start_over("user_gone", f"{len(gone)} users were deleted while the batch was decided")
        return self._append()

    def _append(self) -> list[Effect]:
        self.phase = ShardPhase.APPENDING
        return [Append(self.flight.appends)]

    def _cut(self, deciding: Deciding) -> list[Report]:
        """Put back what did not fit, or stands behind a command that the deciders failed on."""
        flight = self.flight
        self.inbox.put_back(flight.records[deciding.done :])
        flight.records = flight.records[: deciding.done]
        if deciding.suspect is not None:
            self.inbox.suspect(deciding.suspect)
        return deciding.reports

    def _acknowledged(self, base_offset: int | None) -> list[Effect]:
        if base_offset is None:
            return self._start_over("unknown", "the append was acknowledged without an offset")
        if base_offset < self.memory.end:
            return self._stop(f"an append landed at offset {base_offset}, below the folded end {self.memory.end}")
        last_offset = base_offset + len(self.flight.appends) - 1
        if base_offset == self.memory.end:
            return self._stands(last_offset)
        self.phase = ShardPhase.CHECKING
        return [ReadGap(self.memory.head_offset if self.memory.head_offset >= 0 else self.memory.end, last_offset + 1)]

    def _gap_read(self, event: GapRead) -> list[Effect]:
        try:
            gap = read_gap(self.memory, self.flight, event.records)
        except LogChanged as changed:
            return self._stop(str(changed))
        if gap.extended_at is not None:
            return self._start_over("lost", f"offset {gap.extended_at} extended the log first")
        return [*gap.voids, *self._stands(event.records[-1].offset)]

    def _stands(self, last_offset: int) -> list[Effect]:
        """The batch extends the log, up to and with this offset."""
        self.memory.extended_to(last_offset)
        return self._finish()

    def _finish(self) -> list[Effect]:
        """Nothing of the batch is in doubt: answer it, and only now forget what PostgreSQL had when it was decided."""
        flight, memory = self.flight, self.memory
        self.flight = Flight()
        self.phase = ShardPhase.READY
        memory.settle(flight.projected)
        memory.cache.evict(memory.tail.by_org)
        self.inbox.done({record.offset for record in flight.records})
        answers: list[Effect] = [] if flight.answer is None else [flight.answer]
        return [*answers, *self._next()]

    def _refused(self, reason: str) -> list[Effect]:
        self.inbox.refused({record.offset for record in self.flight.records})
        return self._start_over("refused", reason)

    def _start_over(self, kind: str, detail: str) -> list[Effect]:
        """Head, offset, tail and every cached org go together; the same commands are decided again, first of all."""
        self._requeue()
        self.phase = ShardPhase.TAKING_OVER
        self.takeovers += 1
        self.memory = Memory(self.partition, OrgCache(self.config.cache_orgs))
        return [Report(kind, detail), TakeOver()]

    def _requeue(self) -> None:
        self.inbox.put_back(self.flight.records)
        self.flight = Flight()

    def _stop(self, reason: str) -> list[Effect]:
        self.phase = ShardPhase.STOPPED
        self.inbox.clear()
        self.flight = Flight()
        return [Stop(reason)]
