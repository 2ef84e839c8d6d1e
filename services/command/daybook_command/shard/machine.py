"""The protocol of a shard, as a state machine: events in, effects out. No I/O, no clock.

At most one of TakeOver, LoadSnapshot, Pin, Append and ReadGap is in progress at any time; answers are published
independently. Over 250 lines, because the whole protocol should be in one place.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import assert_never

from daybook_command.shard import effects, events
from daybook_command.shard.answers import Answers
from daybook_command.shard.arriving import take_in
from daybook_command.shard.batch import BatchDecision, Moment
from daybook_command.shard.gap import check_gap
from daybook_command.shard.inbox import MAX_OVERDUE, Inbox
from daybook_command.shard.intake import SentCommand
from daybook_command.shard.local_queue import Waiting
from daybook_command.shard.local_way import LocalWay, decided_to, hand_back
from daybook_command.shard.memory import Memory
from daybook_command.shard.needs import needs_of, still_awaited
from daybook_command.shard.snapshot import Needs
from daybook_command.shard.snapshot_checks import checkpoint_fault, clock_fault
from daybook_command.shard.state import EXPECTED_PHASE, WITHOUT_MEMORY, BatchInFlight, ShardConfig, ShardPhase
from daybook_command.shard.takeover import Takeover
from daybook_contracts.log.continuity import LogChanged


@dataclass(slots=True)
class Shard:
    """`takeovers`: how often the shard has taken over again. `held`: why it waits; None if it does not wait.
    `elsewhere`: as in the last `Tick`.
    """

    partition: int
    config: ShardConfig
    takeover: Takeover
    memory: Memory
    inbox: Inbox
    phase: ShardPhase = ShardPhase.TAKING_OVER
    in_flight: BatchInFlight = field(default_factory=BatchInFlight)
    way: LocalWay = field(default_factory=LocalWay)
    takeovers: int = 0
    elsewhere: int = 0
    held: str | None = None

    @classmethod
    def of(cls, partition: int, config: ShardConfig, waiting: Waiting | None = None) -> "Shard":
        """`waiting`: what waits in all shards of the process; None if there are no others."""
        takeover = Takeover(partition, config.cache_bytes, config.tail_limit)
        inbox = Inbox(partition, config.partitions, config.max_commands, config.rules)
        if waiting is not None:
            inbox.local.of_process = waiting
        return cls(partition, config, takeover, takeover.memory, inbox)

    @property
    def idle(self) -> bool:
        """Whether nothing is queued or in flight, except answers."""
        return not self.inbox and not self.in_flight.taken and self.phase is not ShardPhase.LOADING

    @property
    def decided_to(self) -> int:
        """The offset below which all commands of the topic are decided."""
        return decided_to(self.inbox, self.in_flight)

    @property
    def takes_local(self) -> bool:
        """Whether the door may give commands to this shard in memory."""
        return not self.waits and self.way.is_open(self.decided_to)

    @property
    def waits(self) -> bool:
        return self.held is not None or self.phase in WITHOUT_MEMORY

    def queue_local(self, commands: Sequence[SentCommand]) -> None:
        """Queue commands of the door, before `LocalArrived`. They can be withdrawn (`Inbox.withdraw`) until a batch
        takes them.
        """
        self.inbox.add_local(commands)

    def handle(self, event: events.Event) -> list[effects.Effect]:
        """Change the state and return the effects. Ignore an event that is not expected in this phase."""
        if self.phase is not EXPECTED_PHASE.get(type(event), self.phase):
            return []
        match event:
            case (
                events.CommandsArrived()
                | events.LocalArrived()
                | events.RunsOverdue()
                | events.EndsRead()
                | events.TopicRead()
            ):
                return self._arrived(event)
            case events.LogOpened() | events.LogRead():
                return self._advance_takeover(event)
            case events.SnapshotLoaded():
                return self._snapshot_loaded(event)
            case events.Pinned():
                return self._pinned(event.gone)
            case events.Acknowledged():
                return self._acknowledged(event.base_offset)
            case events.GapRead():
                return self._gap_read(event)
            case events.AppendUnknown():
                return self._take_over_again("unknown", "the append was not acknowledged in time")
            case events.AppendRefused() | events.LookUpRefused():
                return self._refused(event)
            case events.Answered():
                return [] if event.next_offset is None else [effects.Commit(event.next_offset)]
            case events.Tick():
                self.elsewhere = event.elsewhere
                return self._tick()
            case _:
                assert_never(event)

    def _arrived(self, event: events.Arriving) -> list[effects.Effect]:
        if self.phase is ShardPhase.STOPPED:
            return []
        take_in(event, self.inbox, self.memory, self.way, self.takeovers)
        return self._start_batch()

    def start(self) -> list[effects.Effect]:
        return [effects.TakeOver()]

    def _advance_takeover(self, event: events.LogOpened | events.LogRead) -> list[effects.Effect]:
        try:
            reports = self.takeover.advance(event)
        except LogChanged as changed:
            return self._stop(str(changed))
        self.memory = self.takeover.memory
        if self.takeover.too_far_behind:
            self.phase = ShardPhase.BEHIND
            return [*reports, *self._hold(f"{self.takeover.behind} entries wait for the projector; no command is read")]
        if self.takeover.is_complete:
            self.phase = ShardPhase.READY
        return [*reports, *self._start_batch()]

    def _start_batch(self) -> list[effects.Effect]:
        """Start the next batch if the shard can."""
        if self.phase is not ShardPhase.READY or self.held is not None:
            return []
        if self.memory.awaited == {}:
            self.inbox.requeue_aside()
        if not self.inbox.has_next:
            return []
        if self._tail_is_full():
            return self._hold(f"{len(self.memory.tail)} entries wait for the projector")
        if self.inbox.overdue:
            self.in_flight = BatchInFlight(taken=self.inbox.take_overdue())
        else:
            self.in_flight = BatchInFlight(
                *self.inbox.take(self.memory.is_outsider, set_aside=self.memory.awaited != {})
            )
            if not self.in_flight.arrivals:
                return self._look_up_progress() if self.inbox.queue or self.inbox.local.line else []
        doomed = self.inbox.doomed_places(self.in_flight.arrivals)
        self.in_flight.needs = needs_of(self.in_flight.taken, self.memory, doomed)
        self.phase = ShardPhase.LOADING
        return [effects.LoadSnapshot(self.in_flight.needs, len(self.in_flight.taken))]

    def _tail_is_full(self) -> bool:
        return self.config.tail_limit.is_exceeded(self.memory.unprojected_bytes, self.elsewhere)

    def _hold(self, reason: str) -> list[effects.Effect]:
        changed = reason != self.held
        self.held = reason
        return [effects.Hold(reason)] if changed else []

    def _tick(self) -> list[effects.Effect]:
        """If the shard is behind, try to take over again. Load a snapshot if the shard waits (for the clock or the
        checkpoint), if commands are set aside, or if unprojected entries take memory that other shards may need: many
        of these entries may be projected by now.
        """
        if self.phase is ShardPhase.BEHIND:
            self.phase = ShardPhase.TAKING_OVER
            return [effects.TakeOver(waited=True)]
        beyond_share = self.config.tail_limit.excess(self.memory.unprojected_bytes)
        checks = self.held is not None or self.inbox.aside or beyond_share
        if self.phase is not ShardPhase.READY or not checks:
            return []
        return self._look_up_progress()

    def _look_up_progress(self) -> list[effects.Effect]:
        """Load a snapshot for no commands, to see the clock and how far the log is projected."""
        self.phase = ShardPhase.LOADING
        self.in_flight = BatchInFlight(needs=Needs(next_offsets=bool(self.memory.awaited)))
        return [effects.LoadSnapshot(self.in_flight.needs, 0)]

    def _snapshot_loaded(self, event: events.SnapshotLoaded) -> list[effects.Effect]:
        reason = checkpoint_fault(self.memory, event.snapshot.checkpoint)
        if reason is not None:
            return self._take_over_again("retake", reason)
        reason = clock_fault(self.memory, event.now_us, event.snapshot.database_us)
        if reason is not None:
            self._requeue()
            self.phase = ShardPhase.READY
            return self._hold(reason)
        if self.memory.awaited is not None and self.in_flight.needs.next_offsets:
            self.memory.awaited = still_awaited(self.memory.awaited, event.snapshot.next_offsets)
        self.in_flight.projected = event.snapshot.checkpoint.head.position
        if not self.in_flight.taken:
            return self._resume()
        return self._decide(event)

    def _look_up_less(self, reason: str) -> list[effects.Effect]:
        """Ask for less: each command of the batch is tried alone, and refused if its look-up is refused even then. If
        there is nothing to leave out any more, wait.
        """
        arrivals, own = self.in_flight.arrivals, len(self.in_flight.taken) - len(self.in_flight.arrivals)
        self.phase = ShardPhase.READY
        if not own and len(self.inbox.doomed_places(arrivals)) == len(arrivals):
            self._requeue()
            return self._hold(reason)
        if own:
            self.inbox.most_overdue = max(1, own // 2)
        self.inbox.mark_refused(arrivals)
        self._requeue()
        return [effects.Report("look_up_refused", reason), *self._start_batch()]

    def _resume(self) -> list[effects.Effect]:
        """After a look-up without commands: drop the projected entries, and continue if the shard waited for this."""
        self.memory.settle(self.in_flight.projected)
        self.memory.cache.evict([], self.memory.tail.by_org)
        self.phase = ShardPhase.READY
        if self._tail_is_full():
            return self._hold(f"{len(self.memory.tail)} entries wait for the projector")
        held, self.held = self.held, None
        return [*([] if held is None else [effects.Hold(None)]), *self._start_batch()]

    def _decide(self, event: events.SnapshotLoaded) -> list[effects.Effect]:
        snapshot, memory, in_flight = event.snapshot, self.memory, self.in_flight
        memory.add_snapshot(snapshot, in_flight.needs.orgs)
        in_flight.base = memory.head
        deciding = BatchDecision(
            memory,
            snapshot,
            in_flight.needs,
            Moment(event.now_us, event.salts),
            Answers(self.partition),
            self.config.managed_users,
            self.inbox.doomed_places(in_flight.arrivals),
        )
        deciding.run(in_flight.taken)
        reports = self._put_back_undecided(deciding)
        in_flight.appends = tuple(deciding.appends)
        in_flight.answer = deciding.answers.seal(self.inbox.mark_decided(in_flight.arrivals))
        in_flight.local = tuple(deciding.answers.local)
        if not deciding.appends:
            return [*reports, *self._finish_batch()]
        unpinned = deciding.named_users - snapshot.pinned_users
        if unpinned and not self.config.managed_users:
            self.phase = ShardPhase.PINNING
            return [*reports, effects.Pin(frozenset(unpinned))]
        return [*reports, *self._append()]

    def _pinned(self, gone: frozenset[str]) -> list[effects.Effect]:
        """Append if all users of the batch's entries are pinned. They must exist until the entries are projected,
        because the columns that refer to them are foreign keys.
        """
        if gone:
            return self._take_over_again("user_gone", f"{len(gone)} users were deleted while the batch was decided")
        return self._append()

    def _append(self) -> list[effects.Effect]:
        self.phase = ShardPhase.APPENDING
        return [effects.Append(self.in_flight.appends)]

    def _put_back_undecided(self, deciding: BatchDecision) -> list[effects.Report]:
        """Put back the commands that were not handled, because they did not fit or a decider raised an exception."""
        in_flight = self.in_flight
        undecided = in_flight.arrivals[deciding.done :]
        self.inbox.put_back(undecided)
        in_flight.arrivals = in_flight.arrivals[: deciding.done]
        if deciding.failed:
            self.inbox.mark_suspect(undecided[0].number)
        return deciding.reports

    def _acknowledged(self, base_offset: int | None) -> list[effects.Effect]:
        if base_offset is None:
            return self._take_over_again("unknown", "the append was acknowledged without an offset")
        if base_offset < self.memory.end:
            return self._stop(f"an append landed at offset {base_offset}, below the folded end {self.memory.end}")
        last_offset = base_offset + len(self.in_flight.appends) - 1
        if base_offset == self.memory.end:
            return self._batch_extends_log(last_offset)
        self.phase = ShardPhase.CHECKING
        start = self.memory.head_offset if self.memory.head_offset >= 0 else self.memory.end
        return [effects.ReadGap(start, last_offset + 1)]

    def _gap_read(self, event: events.GapRead) -> list[effects.Effect]:
        try:
            gap = check_gap(self.memory, self.in_flight, event)
        except LogChanged as changed:
            return self._stop(str(changed))
        if gap.extended_at is not None:
            return self._take_over_again("lost", f"offset {gap.extended_at} extended the log first")
        return [*gap.voids, *self._batch_extends_log(event.records[-1].offset)]

    def _batch_extends_log(self, last_offset: int) -> list[effects.Effect]:
        """`last_offset`: the offset of the batch's last entry."""
        self.memory.mark_appended(last_offset)
        self.way.batch_stands()
        return self._finish_batch()

    def _finish_batch(self) -> list[effects.Effect]:
        """The batch is admitted or has no entries. Answer it, and drop the entries projected when it was decided."""
        in_flight, memory = self.in_flight, self.memory
        if len(in_flight.taken) > len(in_flight.arrivals):
            self.inbox.most_overdue = min(MAX_OVERDUE, 2 * self.inbox.most_overdue)
        self.in_flight = BatchInFlight()
        self.phase = ShardPhase.READY
        memory.settle(in_flight.projected)
        memory.cache.evict([each.org_id for each in in_flight.needs.orgs], memory.tail.by_org)
        self.inbox.clear_marks(in_flight.arrivals)
        local: list[effects.Effect] = [effects.AnswerLocally(in_flight.local)] if in_flight.local else []
        answers: list[effects.Effect] = [] if in_flight.answer is None else [in_flight.answer]
        return [*local, *answers, *self._start_batch()]

    def _refused(self, event: events.AppendRefused | events.LookUpRefused) -> list[effects.Effect]:
        if isinstance(event, events.LookUpRefused):
            return self._look_up_less(event.reason)
        self.inbox.mark_refused(self.in_flight.arrivals)
        return self._take_over_again("refused", event.reason)

    def _take_over_again(self, kind: str, detail: str) -> list[effects.Effect]:
        """Drop the whole memory (head, offsets, tail, cached orgs), and put the batch's records back to the front. Hand
        all local commands back.
        """
        handed_back = self.hand_back()
        self.in_flight.arrivals = [each for each in self.in_flight.arrivals if each.offset is not None]
        self._requeue()
        self.way.take_over_again(kind)
        self.phase = ShardPhase.TAKING_OVER
        self.takeovers += 1
        self.memory = self.takeover.drop_memory()
        return [*handed_back, effects.Report(kind, detail), effects.TakeOver()]

    def _requeue(self) -> None:
        self.inbox.put_back(self.in_flight.arrivals)
        self.in_flight = BatchInFlight()

    def hand_back(self) -> list[effects.Effect]:
        """Give all local commands back to the door. A batch in flight may still answer some of them."""
        return hand_back(self.inbox, self.inbox.withdraw_all(), self.in_flight)

    def leave(self) -> list[effects.Effect]:
        """The partition is given away. Leave queued records to the next owner, and hand local commands back."""
        return hand_back(self.inbox, self.inbox.clear(), self.in_flight)

    def _stop(self, reason: str) -> list[effects.Effect]:
        handed_back = self.leave()
        self.phase = ShardPhase.STOPPED
        self.in_flight = BatchInFlight()
        return [*handed_back, effects.Stop(reason)]
