"""Carries out the effects of shards and returns the results as events. A snapshot serves the loads of all shards that
wait for one. Appends run concurrently, and the producer packs them into one request.
"""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import TypeVar

from daybook_command import metrics
from daybook_command.engine.turns import Turns
from daybook_command.kafka.answer_publisher import AnswerPublisher
from daybook_command.kafka.log_reader import LogReader
from daybook_command.kafka.log_writer import LogWriter
from daybook_command.postgres.overdue_runs import OverdueRuns
from daybook_command.postgres.snapshot_reader import SnapshotReader, SnapshotRefused
from daybook_command.shard import events
from daybook_command.shard.effects import Answer, Append, LoadSnapshot, Pin, ReadGap, Reply
from daybook_command.shard.events import Event, GapRead, LogOpened, LogRead, Pinned, RunsOverdue, SnapshotLoaded
from daybook_command.shard.snapshot import Snapshot
from daybook_command.shard.snapshot_checks import skew_fault_between
from daybook_infra.runtime.failpoints import failpoint
from daybook_infra.runtime.health import Health
from daybook_infra.runtime.logs import get_logger
from daybook_infra.runtime.retrying import retry_forever

log = get_logger(__name__)

PROBE_SECONDS = 2.0
# How long the appends of a round may wait for those of other partitions. Deciding a large batch takes about that long.
ROUND_SECONDS = 0.005
# A round is a look-up and the decisions on it. A second one overlaps the first if this many commands wait for it: for
# fewer, it is better to share the next snapshot, because each look-up costs as much as ten commands.
SECOND_ROUND_COMMANDS = 50
MAX_ROUNDS = 2
T = TypeVar("T")
Deliver = Callable[[Event], None]
Loads = dict[int, tuple[LoadSnapshot, Deliver]]


class EffectRunner:
    """During an outage, calls are retried until it ends, and the process is unready.

    `turns`: whatever lets a shard fold or decide waits for its turn first.
    """

    def __init__(
        self,
        reader: LogReader,
        writer: LogWriter,
        snapshots: SnapshotReader,
        overdue_runs: OverdueRuns,
        answers: AnswerPublisher,
        health: Health,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._snapshots = snapshots
        self._overdue_runs = overdue_runs
        self._answers = answers
        self._health = health
        self._loads: Loads = {}
        self._rounds = asyncio.TaskGroup()
        self._rounds_running = 0
        self._round_is_due = False
        self._deciding = asyncio.Lock()
        self._appends_allowed = asyncio.Event()
        self._appends_allowed.set()
        self._takeover_lock = asyncio.Lock()
        self.turns = Turns()
        health.require("clock")

    async def open_log(self, partition: int) -> LogOpened:
        checkpoint = await self.retry("postgres", lambda: self._snapshots.checkpoint(partition))
        failpoint("amid-takeover")
        return LogOpened(checkpoint, *await self.retry("kafka", lambda: self._reader.read_bounds(partition)))

    async def read_log(self, partition: int, opened: LogOpened, give: Callable[[LogOpened | LogRead], bool]) -> None:
        """Calls `give` with one slice of the log after another, until it returns False. Reads the log of one partition
        at a time. Between retries, and while the bounds are read, other partitions can be read. Each slice waits for
        its turn. If a read has failed and the log has lost its beginning or its end, calls `give` with the log's new
        bounds instead.
        """
        position, retrying = opened.checkpoint.first_to_read, False

        async def read_on() -> None:
            nonlocal position, retrying
            if retrying:  # outside the lock: a partition without a leader fails here, after many seconds
                log_start, log_end = await self._reader.read_bounds(partition)
                if log_start > 0 or log_end < opened.log_end:
                    give(LogOpened(opened.checkpoint, log_start, log_end, ended_at=opened.log_end))
                    return
            retrying = True  # if this is called again
            async with self._takeover_lock:
                while position < opened.log_end:
                    read = await self._reader.read_slice(partition, position, opened.log_end)
                    position = read.next_offset
                    await self.turns.wait()
                    if not give(read):
                        return

        await self.retry("kafka", read_on)

    async def read_log_ends(self) -> dict[int, int]:
        """The present end offset of each partition of the log."""
        return await self.retry("kafka", self._reader.read_ends)

    async def read_gap(self, partition: int, gap: ReadGap) -> GapRead:
        return await self.retry("kafka", lambda: self._reader.read_range(partition, gap.start, gap.stop))

    async def find_overdue_runs(self) -> dict[int, RunsOverdue]:
        """Waits until the next look-up is due, and returns the overdue runs of each partition."""
        await self._overdue_runs.wait_until_due()
        return await self.retry("postgres", self._overdue_runs.find)

    async def pin(self, pin: Pin) -> Pinned:
        return Pinned(await self.retry("postgres", lambda: self._snapshots.pin(pin.user_ids)))

    async def append(self, partition: int, append: Append) -> Event:
        await self._appends_allowed.wait()
        started = time.perf_counter()
        outcome = await self._writer.append(partition, append)
        metrics.APPEND_SECONDS.observe(time.perf_counter() - started)
        metrics.BATCH_ENTRIES.observe(len(append.records))
        return outcome

    async def answer(self, partition: int, answer: Answer) -> None:
        failpoint("after-ack")
        await self.retry("kafka", lambda: self._answers.publish(partition, answer))
        failpoint("after-answer")
        self.answer_locally(answer.local)
        metrics.FORWARDED.inc(len(answer.forwards))
        for refused in answer.refused:
            metrics.DEAD_LETTERS.labels(refused.reason.partition(":")[0]).inc()

    def answer_locally(self, replies: Sequence[Reply]) -> None:
        """Gives the replies to the requests that wait for them in this process."""
        failpoint("after-ack")
        for reply in replies:
            self._answers.resolve_here(reply)

    def queue_load(self, partition: int, load: LoadSnapshot, deliver: Deliver) -> None:
        """Queues a load. The next round serves all loads that are queued when it begins."""
        self._loads[partition] = (load, deliver)
        self._begin_round()

    async def run_rounds(self) -> None:
        """Rounds are subtasks of this task, so that a bug in a round ends this task."""
        async with self._rounds:
            await asyncio.get_running_loop().create_future()

    def _begin_round(self) -> None:
        """Begins a round if one may begin. The round takes its loads in the next iteration of the event loop, so loads
        that shards queue at the same moment share it.
        """
        if self._loads and not self._round_is_due and self._may_begin_round():
            self._round_is_due = True
            self._rounds.create_task(self._run_round())

    def _may_begin_round(self) -> bool:
        if not self._rounds_running:
            return True
        commands = sum([load.commands for load, _ in self._loads.values()])
        return self._rounds_running < MAX_ROUNDS and commands >= SECOND_ROUND_COMMANDS

    async def _run_round(self) -> None:
        loads, self._loads = self._loads, {}
        self._round_is_due = False
        self._rounds_running += 1
        await self._serve(loads)
        self._rounds_running -= 1
        self._begin_round()

    async def _serve(self, loads: Loads) -> None:
        """One look-up for all loads. If PostgreSQL refuses it, one for each half of them."""
        needs = {partition: load.needs for partition, (load, _) in loads.items()}
        started = time.perf_counter()
        try:
            snapshots = await self.retry("postgres", partial(self._snapshots.read, needs))
        except SnapshotRefused as refused:
            await self._serve_less(loads, str(refused))
            return
        metrics.LOOKUP_SECONDS.observe(time.perf_counter() - started)
        async with self._deciding:
            await self._decide(loads, snapshots)

    async def _serve_less(self, loads: Loads, reason: str) -> None:
        middle = len(loads) // 2
        if middle:
            each = list(loads.items())
            await self._serve(dict(each[:middle]))
            await self._serve(dict(each[middle:]))
            return
        await self.turns.wait()
        for _, deliver in loads.values():
            deliver(events.LookUpRefused(reason))

    async def _decide(self, loads: Loads, snapshots: Mapping[int, Snapshot]) -> None:
        """The batches that are decided on a snapshot are appended together, so that Kafka gets them in one request."""
        started = time.perf_counter()
        self._appends_allowed.clear()
        for number, (partition, (load, deliver)) in enumerate(loads.items()):
            if number:
                await asyncio.sleep(0)  # deciding a batch takes milliseconds, and each partition may have one
            await self.turns.wait()
            salts = os.urandom(16 * load.commands)
            deliver(SnapshotLoaded(snapshots[partition], _now_us(), salts))
            if time.perf_counter() - started > ROUND_SECONDS:
                self._appends_allowed.set()
        self._appends_allowed.set()

    async def run_kafka_probe(self) -> None:
        """Probes Kafka regularly, so that even an idle instance notices an outage."""
        while True:
            await self.retry("kafka", self._reader.read_ends)
            await asyncio.sleep(PROBE_SECONDS)

    async def run_postgres_probe(self) -> None:
        """Probes PostgreSQL regularly, and compares its clock with this machine's before entries get wrong times."""
        while True:
            fault = await self.retry("postgres", self._clock_fault)
            if fault is None:
                self._health.ok("clock")
            else:
                self._health.fail("clock", fault)
            await asyncio.sleep(PROBE_SECONDS)

    async def _clock_fault(self) -> str | None:
        asked_us = _now_us()
        database_us = await self._snapshots.clock_us()
        return skew_fault_between(asked_us, _now_us(), database_us)

    async def retry(self, server: str, attempt: Callable[[], Awaitable[T]]) -> T:
        """Retries until the attempt succeeds. The process is unready until then, even if other callers reach the
        server: they may need less of it, or another broker.
        """
        caller = object()
        try:
            return await retry_forever(attempt, lambda away: self._health.fail(server, str(away), by=caller))
        finally:
            self._health.ok(server, by=caller)


def _now_us() -> int:
    return time.time_ns() // 1000
