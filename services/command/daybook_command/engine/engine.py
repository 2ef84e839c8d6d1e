"""Owns the shards of this instance: assignments and records in, effects carried out, offsets committed."""

import asyncio
import time
from collections.abc import Coroutine, Iterable, Sequence
from typing import Any, assert_never

from daybook_command import metrics
from daybook_command.engine.assignment import Intake, Owned
from daybook_command.engine.effect_runner import Lanes
from daybook_command.shard.effects import (
    Answer,
    Append,
    Commit,
    Effect,
    Hold,
    LoadSnapshot,
    Pin,
    ReadGap,
    Report,
    Stop,
    TakeOver,
)
from daybook_command.shard.events import Answered, CommandsArrived, EndsRead, Event, Tick
from daybook_command.shard.machine import Shard
from daybook_command.shard.records import CommandRecord
from daybook_command.shard.state import ShardConfig, ShardPhase
from daybook_infra.runtime.health import Health
from daybook_infra.runtime.logs import get_logger
from daybook_infra.runtime.retrying import FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS

log = get_logger(__name__)

TICK_SECONDS = 0.25
IDLE_POLL_SECONDS = 0.01
# What a rebalance waits for a batch under way; the session would be lost at 6 s.
HAND_OVER_SECONDS = 2.0
DAY_MS = 86_400_000
WAITING = "commands that choose ids wait: not every partition is projected up to where it ended at the takeover"


class Engine:
    """`run` must be going before partitions are assigned. A bug in any task ends `run` with its exception."""

    def __init__(self, config: ShardConfig, lanes: Lanes, intake: Intake, health: Health) -> None:
        self._config = config
        self._lanes = lanes
        self._intake = intake
        self._health = health
        self._owned: dict[int, Owned] = {}
        self._commits: dict[int, int] = {}
        self._commit_wanted = asyncio.Event()
        self._draining = False
        self._group = asyncio.TaskGroup()
        health.need("assignment")
        health.watch("oldest_command", self._oldest)

    async def run(self) -> None:
        async with self._group as group:
            group.create_task(self._lanes.run_loads())
            group.create_task(self._lanes.run_kafka_probe())
            group.create_task(self._lanes.run_postgres_probe())
            group.create_task(self._run_commits())
            group.create_task(self._run_ticks())
            group.create_task(self._run_overdue())

    def assign(self, partitions: Iterable[int]) -> None:
        """Partitions that are ours from now on, already paused: each is taken over before it is read."""
        for partition in partitions:
            owned = Owned(Shard.of(partition, self._config), time.perf_counter())
            self._owned[partition] = owned
            self._health.need(f"partition {partition}")
            self._spawn(owned, self._run_answers(partition, owned))
            self._carry_out(partition, owned, owned.shard.start())
        metrics.OWNED.set(len(self._owned))
        self._health.ok("assignment")

    async def revoke(self, partitions: Iterable[int]) -> None:
        """Give partitions away: what is under way may end within a bound; what is only queued stays in Kafka."""
        leaving = [self._owned[partition] for partition in partitions if partition in self._owned]
        for owned in leaving:
            owned.leaving = True
            owned.shard.inbox.clear()
            self._regulate(owned)
        await self._until_idle(leaving, HAND_OVER_SECONDS)
        await self._commit()
        for owned in leaving:
            del self._owned[owned.shard.partition]
            for gauge in metrics.OF_A_PARTITION:
                gauge.labels(owned.shard.partition).set(0)
            self._health.ok(f"partition {owned.shard.partition}")
            self._health.note(f"partition {owned.shard.partition}", None)
            for task in owned.tasks:
                task.cancel()
        metrics.OWNED.set(len(self._owned))

    async def drain(self, seconds: float) -> None:
        """Take nothing more, and let what was taken be decided, answered and committed within `seconds`."""
        self._draining = True
        for owned in self._owned.values():
            self._regulate(owned)
        await self._until_idle(list(self._owned.values()), seconds)
        await self._commit()

    def hand_over(self, partition: int, records: Sequence[CommandRecord]) -> None:
        """`arrive` in a task of `run`: FastStream swallows what its handler raises, and a bug has to end `run`."""
        self._group.create_task(self._arriving(partition, records))

    async def _arriving(self, partition: int, records: Sequence[CommandRecord]) -> None:
        self.arrive(partition, records)

    def arrive(self, partition: int, records: Sequence[CommandRecord]) -> None:
        """Records of one partition in offset order. Of a partition that is not ours they are another's to decide."""
        owned = self._owned.get(partition)
        if owned is None or not owned.started or owned.leaving:
            return
        following = self._following(partition, owned, records)
        if following:
            owned.expected = following[-1].offset + 1
            metrics.COMMANDS.labels(partition).inc(len(following))
            _report_lost(partition, following)
            self._deliver(partition, owned, CommandsArrived(following))

    def _following(self, partition: int, owned: Owned, records: Sequence[CommandRecord]) -> Sequence[CommandRecord]:
        """Those that come next. Records fetched before a rebalance can arrive after it: if any were taken ahead of
        earlier ones, the commit behind them would lose those. A gap is believed when it comes a second time.
        """
        following = [record for record in records if record.offset >= owned.expected]
        if following and following[0].first_offset > owned.expected != owned.sought:
            owned.sought = owned.expected
            self._intake.seek(partition, owned.expected)
            return []
        return following

    def _deliver(self, partition: int, owned: Owned, event: Event) -> None:
        if self._owned.get(partition) is owned:
            self._carry_out(partition, owned, owned.shard.handle(event))

    def _carry_out(self, partition: int, owned: Owned, effects: Sequence[Effect]) -> None:
        for effect in effects:
            self._one(partition, owned, effect)
        self._regulate(owned)

    def _one(self, partition: int, owned: Owned, effect: Effect) -> None:
        lanes = self._lanes
        match effect:
            case TakeOver():
                owned.retakes += owned.started
                self._spawn(owned, self._take_over(partition, owned))
            case LoadSnapshot():
                lanes.load(partition, effect, lambda event: self._deliver(partition, owned, event))
            case Pin():
                self._spawn(owned, self._tell(partition, owned, lanes.pin(effect)))
            case Append():
                metrics.ENTRIES.labels(partition).inc(len(effect.records))
                self._spawn(owned, self._tell(partition, owned, lanes.append(partition, effect)))
            case ReadGap():
                self._spawn(owned, self._tell(partition, owned, lanes.read_gap(partition, effect)))
            case Answer():
                owned.retakes = 0
                owned.answering += 1
                owned.answers.put_nowait(effect)
            case Commit():
                self._commits[partition] = effect.next_offset
                self._commit_wanted.set()
            case Report():
                self._report(partition, effect)
            case Hold():
                self._hold(partition, effect.reason)
            case Stop():
                log.critical("partition_stopped", partition=partition, reason=effect.reason)
                self._health.fail(f"partition {partition}", effect.reason)
            case _:
                assert_never(effect)

    def _spawn(self, owned: Owned, work: Coroutine[Any, Any, None]) -> None:
        task = self._group.create_task(work)
        owned.tasks.add(task)
        task.add_done_callback(owned.tasks.discard)

    async def _tell(self, partition: int, owned: Owned, work: Coroutine[Any, Any, Event]) -> None:
        self._deliver(partition, owned, await work)

    async def _take_over(self, partition: int, owned: Owned) -> None:
        await asyncio.sleep(retake_pause(owned.retakes))
        takeover = owned.shard.takeovers
        event = await self._lanes.take_over(partition)
        if not owned.started:
            owned.expected = await self._lanes.retry("kafka", lambda: self._intake.committed(partition))
            self._intake.seek(partition, owned.expected)
            owned.started = True
        self._deliver(partition, owned, event)
        if owned.shard.phase is not ShardPhase.STOPPED and owned.shard.held is None:
            metrics.TAKEOVER_SECONDS.observe(time.perf_counter() - owned.assigned_at)
            self._health.ok(f"partition {partition}")
        # A partition of the log without a leader must not keep this one from being decided.
        self._deliver(partition, owned, EndsRead(takeover, await self._lanes.log_ends()))

    async def _run_answers(self, partition: int, owned: Owned) -> None:
        """One after another, so that offsets are committed in order."""
        while True:
            answer = await owned.answers.get()
            await self._lanes.answer(partition, answer)
            owned.answering -= 1
            self._deliver(partition, owned, Answered(answer.next_offset))

    async def _run_commits(self) -> None:
        while True:
            await self._commit_wanted.wait()
            self._commit_wanted.clear()
            await self._commit()

    async def _commit(self) -> None:
        offsets, self._commits = self._commits, {}
        owned = {partition: offset for partition, offset in offsets.items() if partition in self._owned}
        if owned:
            await self._intake.commit(owned)

    async def _run_ticks(self) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            for partition, owned in list(self._owned.items()):
                self._deliver(partition, owned, Tick())
                self._health.note(f"partition {partition}", WAITING if owned.shard.inbox.aside else None)
                metrics.TAIL.labels(partition).set(len(owned.shard.memory.tail))
                metrics.CACHED_ORGS.labels(partition).set(len(owned.shard.memory.cache))
                metrics.QUEUED.labels(partition).set(len(owned.shard.inbox.queue) + len(owned.shard.inbox.aside))
                metrics.QUEUED_BYTES.labels(partition).set(owned.shard.inbox.size)

    async def _run_overdue(self) -> None:
        """Runs whose workers are gone are failed by whoever owns their org's partition."""
        while True:
            for partition, event in (await self._lanes.overdue_runs()).items():
                owned = self._owned.get(partition)
                if owned is not None and owned.started and not owned.leaving:
                    self._deliver(partition, owned, event)

    async def _until_idle(self, owned: Sequence[Owned], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while busy := [each.shard.partition for each in owned if not each.idle]:
            if time.monotonic() > deadline:
                log.warning("handed_over_undecided", partitions=busy)
                return
            await asyncio.sleep(IDLE_POLL_SECONDS)

    def _regulate(self, owned: Owned) -> None:
        """Read on or not: a shard that takes over, waits, is full or stopped leaves its commands in Kafka."""
        shard = owned.shard
        waits = shard.held is not None or shard.phase in {ShardPhase.TAKING_OVER, ShardPhase.STOPPED}
        pause = self._draining or owned.leaving or not owned.started or waits or owned.is_full
        if pause is not owned.paused:
            owned.paused = pause
            (self._intake.pause if pause else self._intake.resume)(shard.partition)

    def _report(self, partition: int, report: Report) -> None:
        metrics.REPORTS.labels(report.kind).inc()
        if report.kind == "void":
            metrics.VOIDS.labels(partition).inc(report.offsets)
        log.warning("shard_report", partition=partition, kind=report.kind, detail=report.detail, exc_info=report.error)

    def _hold(self, partition: int, reason: str | None) -> None:
        if reason is None:
            self._health.ok(f"partition {partition}")
        else:
            self._health.fail(f"partition {partition}", reason)

    def _oldest(self) -> str | None:
        ages = [owned.shard.oldest_ms() for owned in self._owned.values()]
        oldest = min((age for age in ages if age is not None), default=None)
        if oldest is None or time.time() * 1000 - oldest < DAY_MS:
            return None
        return f"a command has waited since {time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(oldest / 1000))}"


def _report_lost(partition: int, records: Sequence[CommandRecord]) -> None:
    for record in records:
        if record.lost_from is not None:
            metrics.LOST.labels(partition).inc(record.offset - record.lost_from + 1)
            log.error("commands_lost", partition=partition, first_offset=record.lost_from, last_offset=record.offset)


def retake_pause(retakes: int) -> float:
    """Seconds before the log is folded again: none the first time, as a lost race is no outage."""
    return min(FIRST_PAUSE_SECONDS * 2.0 ** min(retakes - 2, 10), LONGEST_PAUSE_SECONDS) if retakes > 1 else 0.0
