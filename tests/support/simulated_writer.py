"""The shard of one partition in one simulated instance, and its pending effects. Data that the shard has asked for may
be out of date when it arrives.
"""

import sys
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import assert_never

from daybook_command.shard import effects, events
from daybook_command.shard.machine import Shard
from daybook_command.shard.state import WITHOUT_MEMORY, ShardConfig, ShardPhase
from daybook_contracts.log.head import Checkpoint
from support.simulated_door import Door
from support.simulated_postgres import Stored
from support.surroundings import Surroundings


@dataclass(frozen=True, slots=True)
class BegunLookUp:
    """The transaction of a look-up has begun. It sees the state `moment`."""

    load: effects.LoadSnapshot
    moment: Stored


@dataclass(frozen=True, slots=True)
class BegunTakeover:
    """A takeover has read the checkpoint, but not the log yet."""

    checkpoint: Checkpoint


@dataclass(frozen=True, slots=True)
class BegunReading:
    """A takeover has read the log up to the offset `start`. It reads up to the offset `stop`."""

    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class PendingEvent:
    """An event that has happened but has not reached the shard yet."""

    event: events.Event


Step = effects.Effect | BegunLookUp | BegunTakeover | BegunReading | PendingEvent


@dataclass(slots=True)
class Writer:
    """`todo`: the pending effects. `answers` are sent one by one, independently of the effects. `position`: the next
    offset to read in the commands topic. `reads`: False after the partition was given away.
    """

    shard: Shard
    position: int
    door: Door = field(init=False)
    reads: bool = True
    todo: deque[Step] = field(default_factory=deque)
    answers: deque[effects.Answer] = field(default_factory=deque)
    stopped: str | None = None

    @classmethod
    def of(cls, partition: int, config: ShardConfig, committed: int) -> "Writer":
        writer = cls(Shard.of(partition, config), committed)
        writer.todo.extend(writer.shard.start())
        return writer

    def work(self, around: Surroundings) -> None:
        """Takes one step: reads commands, sends an answer, or carries out an effect."""
        topic, draw = around.topics[self.shard.partition], around.draw
        if self.shard.phase is ShardPhase.STOPPED:
            self.todo.clear()
        elif self.answers and (not self.todo or draw.random() < 0.5):
            self._answer(self.answers.popleft(), around)
        elif self.reads and self.position < len(topic) and (not self.todo or draw.random() < 0.1):
            records = topic[self.position : self.position + draw.randint(1, 7)]
            self.position += len(records)
            self.tell(events.CommandsArrived(records))
        elif self.todo:
            self._carry_out(self.todo.popleft(), around)
        else:
            # Half of the time, other partitions' tails take up all memory outside the equal shares (see `TailLimit`).
            self.tell(events.Tick(self.shard.config.max_tail // 2 * (around.now_us % 2)))

    def tell(self, event: events.Event) -> None:
        """Gives the shard an event. First sets, as the engine might, whether its next batch may take none, one or all
        of the local commands.
        """
        self.shard.inbox.most_local = (0, 1, sys.maxsize)[self.door.around.now_us % 3]
        self._accept(self.shard.handle(event))
        if self.shard.phase is ShardPhase.READY and self.shard.inbox.local.line and not self.todo:
            self.notice_local()
        if self.shard.phase in {ShardPhase.TAKING_OVER, ShardPhase.STOPPED}:
            self.door.require_nothing_held()

    def leave(self) -> None:
        """The partition is given away. The batch in progress may still be finished."""
        self.reads = False
        self._accept(self.shard.leave())
        self.door.require_nothing_held()

    def notice_local(self) -> None:
        self.todo.append(PendingEvent(events.LocalArrived()))

    def _accept(self, given: Sequence[effects.Effect]) -> None:
        for effect in given:
            match effect:
                case effects.Answer():
                    self.answers.append(effect)
                case effects.AnswerLocally():
                    self._answer_locally(effect.replies)
                case effects.HandBack():
                    self.door.handed_back(effect.queued, effect.taken)
                case effects.Stop():
                    self.stopped = effect.reason
                case _:
                    self.todo.append(effect)

    def _answer_locally(self, replies: Sequence[effects.Reply]) -> None:
        for reply in replies:
            self.door.around.give(reply)
            self.door.answered(reply.correlation_id or b"")

    def _carry_out(self, step: Step, around: Surroundings) -> None:
        partition = self.shard.partition
        log, stored = around.logs[partition], around.postgres.now
        match step:
            case effects.TakeOver(waited):
                around.reports["waited"] += waited
                self.todo.appendleft(BegunTakeover(stored.checkpoint(partition)))
            case BegunTakeover() | BegunReading():
                self._take_over(step, around)
            case effects.LoadSnapshot():
                self.todo.appendleft(BegunLookUp(step, stored))
            case BegunLookUp():
                self.finish_look_up(step, around)
            case effects.Append(records):
                values = tuple(record.value for record in records)
                self.todo.appendleft(PendingEvent(log.append(values, around.weather, around.draw)))
            case effects.ReadGap(start, stop):
                self.tell(events.GapRead(log.records(start, stop)))
            case PendingEvent(event):
                self.tell(event)
            case effects.Commit(next_offset):
                around.commit(partition, next_offset)
            case effects.Report(kind):
                around.reports[kind] += 1
            case effects.Hold():
                around.reports["hold"] += 1
            case effects.Answer() | effects.AnswerLocally() | effects.HandBack() | effects.Stop() | effects.Pin():
                raise AssertionError(f"{step}: `_accept` handles it, and managed users need no pins")
            case _:
                assert_never(step)

    def _take_over(self, step: BegunTakeover | BegunReading, around: Surroundings) -> None:
        """Opens the log, or reads a slice. After the last slice, queues the ends of the logs and of the topic."""
        log, topic = around.logs[self.shard.partition], around.topics[self.shard.partition]
        match step:
            case BegunTakeover(checkpoint):
                left = BegunReading(checkpoint.first_to_read, len(log))
                self.tell(events.LogOpened(checkpoint, 0, len(log)))
            case BegunReading(start, stop):
                left = BegunReading(min(stop, start + 1 + start % 7), stop)
                self.tell(events.LogRead(log.records(start, left.start), left.start))
        if self.shard.phase is ShardPhase.TAKING_OVER:
            self.todo.appendleft(left)
        elif self.shard.phase not in WITHOUT_MEMORY:
            ends = {number: len(each) for number, each in enumerate(around.logs)}
            self.todo.append(PendingEvent(events.EndsRead(self.shard.takeovers, ends)))
            self.todo.append(PendingEvent(events.TopicRead(self.shard.takeovers, self.position, len(topic))))

    def finish_look_up(self, look_up: BegunLookUp, around: Surroundings) -> None:
        """Gives the shard everything that it needs, as of the moment when the look-up began (docs/log.md, rule 1)."""
        needs, partition = look_up.load.needs, self.shard.partition
        snapshot = around.postgres.snapshot(look_up.moment, partition, needs, around.users, around.now_us)
        self.tell(events.SnapshotLoaded(snapshot, around.now_us, around.draw.randbytes(16 * look_up.load.commands)))

    def _answer(self, answer: effects.Answer, around: Surroundings) -> None:
        around.publish(self.shard.partition, answer)
        self._answer_locally(answer.local)
        self.tell(events.Answered(answer.next_offset))
