"""Owns the shards of this instance: gives them commands, carries out their effects, and commits offsets."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from functools import partial
from typing import Any, assert_never

from daybook_command.engine.assignment import Assignment, CommandConsumer
from daybook_command.engine.backlogs import Backlogs
from daybook_command.engine.commits import Commits
from daybook_command.engine.effect_runner import EffectRunner
from daybook_command.engine.local_shards import LocalShards
from daybook_command.engine.report import EngineReport, oldest_command_fault
from daybook_command.engine.tails import Tails
from daybook_command.engine.takeovers import Takeovers
from daybook_command.shard import effects
from daybook_command.shard.events import Answered, CommandsArrived, Event, LocalArrived, Tick
from daybook_command.shard.local_queue import Waiting
from daybook_command.shard.machine import Shard
from daybook_command.shard.records import CommandRecord
from daybook_command.shard.state import ShardConfig
from daybook_infra.runtime.health import Health

TICK_SECONDS = 0.25
IDLE_POLL_SECONDS = 0.01
# How long a rebalance waits for a batch in progress. The consumer's session would end after 6 s.
REVOKE_SECONDS = 2.0


class Engine:
    """Start `run` before partitions are assigned. A bug in any task ends `run` with the bug's exception."""

    def __init__(self, config: ShardConfig, runner: EffectRunner, consumer: CommandConsumer, health: Health) -> None:
        self._config = config
        self._effects = runner
        self._consumer = consumer
        self._report = EngineReport(health)
        self._assignments: dict[int, Assignment] = {}
        self._tails = Tails(self._assignments, config.tail_limit)
        self._takeovers = Takeovers(runner, consumer, self._report, self._tails, self._deliver)
        self._local_waiting = Waiting()
        self.local = LocalShards(self._assignments, self._wake, self._local_waiting)
        self._backlogs = Backlogs(self._assignments, self._look, self._local_waiting)
        self._commits = Commits(self._assignments, consumer)
        self._draining = False
        self._group = asyncio.TaskGroup()
        health.watch("oldest_command", lambda: oldest_command_fault(self._assignments.values()))

    async def run(self) -> None:
        async with self._group as group:
            group.create_task(self._effects.run_rounds())
            group.create_task(self._effects.run_kafka_probe())
            group.create_task(self._effects.run_postgres_probe())
            group.create_task(self._commits.run())
            group.create_task(self._run_ticks())
            group.create_task(self._run_overdue())

    def assign(self, partitions: Iterable[int]) -> None:
        """Called when this instance gets partitions. Each stays paused until its shard has taken it over."""
        for partition in partitions:
            assignment = Assignment(Shard.of(partition, self._config, self._local_waiting), time.perf_counter())
            self._assignments[partition] = assignment
            self._report.assigned(partition)
            self._spawn(assignment, self._run_answers(assignment))
            self._run_effects(assignment, assignment.shard.start())
        self._report.assignments_changed(len(self._assignments))

    async def revoke(self, partitions: Iterable[int]) -> None:
        """Gives partitions away. Batches in progress have REVOKE_SECONDS to finish; queued records stay in Kafka, and
        the door publishes local commands.
        """
        leaving = [self._assignments[partition] for partition in partitions if partition in self._assignments]
        for assignment in leaving:
            assignment.leaving = True
            self._run_effects(assignment, assignment.shard.leave())
        await self._wait_until_idle(leaving, REVOKE_SECONDS)
        await self._commits.commit()
        for assignment in leaving:
            self.local.leave(assignment.partition)
            del self._assignments[assignment.partition]
            self._report.revoked(assignment.partition)
            self._backlogs.leave(assignment.partition)
            self._commits.leave(assignment.partition)
            for task in assignment.tasks:
                task.cancel()
        self._report.assignments_changed(len(self._assignments))

    async def drain(self, seconds: float) -> None:
        """Takes no more commands, and waits up to `seconds` until those taken are decided, answered and committed. The
        door publishes local commands.
        """
        self._draining = self.local.closed = True
        for assignment in self._assignments.values():
            self._run_effects(assignment, assignment.shard.hand_back())
        await self._wait_until_idle(list(self._assignments.values()), seconds)
        await self._commits.commit()

    def hand_over(self, partition: int, records: Sequence[CommandRecord]) -> None:
        """Calls `take` in a task of `run`, so that a bug ends `run`: FastStream swallows exceptions of its handlers."""

        async def take() -> None:
            await self._effects.turns.wait()
            self.take(partition, records)

        self._group.create_task(take())

    def take(self, partition: int, records: Sequence[CommandRecord]) -> None:
        """Gives the records, in offset order, to the shard. Ignores partitions of other instances."""
        assignment = self._assignments.get(partition)
        if assignment is None or not assignment.takes_commands:
            return
        following = assignment.next_in_order(records, self._consumer)
        if following:
            assignment.expected_offset = following[-1].offset + 1
            self._report.commands_taken(partition, following)
            self._deliver(assignment, CommandsArrived(following))

    def _deliver(self, assignment: Assignment, event: Event) -> None:
        """Gives the event to the shard. Drops the event if the partition was given away, even if it has come back."""
        if self._owns(assignment):
            before = self._backlogs.before_event(assignment.shard)
            self._run_effects(assignment, assignment.shard.handle(event))
            self._backlogs.after_event(assignment.shard, before)

    def _owns(self, assignment: Assignment) -> bool:
        return self._assignments.get(assignment.partition) is assignment

    def _look(self, assignment: Assignment) -> None:
        """Lets the shard look at its local commands."""
        self._deliver(assignment, LocalArrived())

    async def _deliver_result(self, assignment: Assignment, work: Callable[[], Awaitable[Event]]) -> None:
        event = await work()
        await self._effects.turns.wait()
        self._deliver(assignment, event)

    def _run_effects(self, assignment: Assignment, asked: Sequence[effects.Effect]) -> None:
        for effect in asked:
            self._run_effect(assignment, effect)
        self._pause_or_resume(assignment)

    def _run_effect(self, assignment: Assignment, effect: effects.Effect) -> None:
        partition, runner = assignment.partition, self._effects
        match effect:
            case effects.TakeOver():
                assignment.retakes += assignment.started and not effect.waited
                self._spawn(assignment, self._takeovers.take_over(assignment))
            case effects.LoadSnapshot():
                self.local.queues_shrank()
                runner.queue_load(partition, effect, lambda event: self._deliver(assignment, event))
            case effects.Pin():
                self._spawn(assignment, self._deliver_result(assignment, partial(runner.pin, effect)))
            case effects.Append():
                self._report.append_started(partition, len(effect.records))
                self._spawn(assignment, self._deliver_result(assignment, partial(runner.append, partition, effect)))
            case effects.ReadGap():
                self._spawn(assignment, self._deliver_result(assignment, partial(runner.read_gap, partition, effect)))
            case effects.Answer() | effects.AnswerLocally():
                assignment.retakes = 0
                self._answer(assignment, effect)
            case effects.HandBack():
                self.local.hand_back(effect)
            case effects.Commit():
                self._commits.request(partition, effect.next_offset)
            case effects.Report() | effects.Hold() | effects.Stop():
                self._report.effect(partition, effect)
            case _:
                assert_never(effect)

    def _answer(self, assignment: Assignment, effect: effects.Answer | effects.AnswerLocally) -> None:
        match effect:
            case effects.Answer():
                assignment.answering += 1
                assignment.answers.put_nowait(effect)
            case effects.AnswerLocally():
                self._effects.answer_locally(effect.replies)

    def _spawn(self, assignment: Assignment, work: Coroutine[Any, Any, None]) -> None:
        task = self._group.create_task(work)
        assignment.tasks.add(task)
        task.add_done_callback(assignment.tasks.discard)

    def _wake(self, assignment: Assignment) -> None:
        """Lets the shard look at its local commands, in a task of `run`, so that a bug ends `run`. A shard that has a
        batch will look at them without being told.
        """

        async def look() -> None:
            await self._effects.turns.wait()
            assignment.wakes = False
            self._look(assignment)

        if not assignment.wakes and self._backlogs.must_look(assignment.shard):
            assignment.wakes = True
            self._spawn(assignment, look())

    async def _run_answers(self, assignment: Assignment) -> None:
        """Publishes answers one after another, so that offsets are committed in order."""
        while True:
            answer = await assignment.answers.get()
            await self._effects.answer(assignment.partition, answer)
            assignment.answering -= 1
            self._deliver(assignment, Answered(answer.next_offset))

    async def _run_ticks(self) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            for assignment in list(self._assignments.values()):
                await self._effects.turns.wait()
                self._deliver(assignment, Tick(self._tails.elsewhere(assignment.partition)))
                if self._owns(assignment):
                    self._report.sizes_measured(assignment)

    async def _run_overdue(self) -> None:
        """Tells each shard which runs of its partition are overdue, so that the shard fails them."""
        while True:
            for partition, event in (await self._effects.find_overdue_runs()).items():
                assignment = self._assignments.get(partition)
                if assignment is not None and assignment.takes_commands:
                    self._deliver(assignment, event)

    async def _wait_until_idle(self, assignments: Sequence[Assignment], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while busy := [each.partition for each in assignments if not each.is_idle]:
            if time.monotonic() > deadline:
                self._report.partitions_left_busy(busy)
                return
            await asyncio.sleep(IDLE_POLL_SECONDS)

    def _pause_or_resume(self, assignment: Assignment) -> None:
        """Leaves the commands in Kafka while the shard takes over, waits, is full or has stopped."""
        pause = self._draining or not assignment.takes_commands or assignment.shard.waits or assignment.is_full
        if pause is not assignment.paused:
            assignment.paused = pause
            (self._consumer.pause if pause else self._consumer.resume)(assignment.partition)
