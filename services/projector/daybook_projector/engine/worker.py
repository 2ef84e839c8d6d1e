"""Projects one partition while this process owns it: takes the partition over at its checkpoint, then writes batch
after batch. Waits for users, retries outages, takes over again after a lost checkpoint, and stops if an operator is
needed.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import TypeVar

from daybook_contracts.log.continuity import LogChanged, check_bounds, check_end
from daybook_contracts.log.head import Checkpoint
from daybook_infra.runtime.errors import DatabaseAway, KafkaAway
from daybook_infra.runtime.failpoints import failpoint
from daybook_infra.runtime.retrying import retry_forever
from daybook_projector.engine.group_commit import GroupCommit
from daybook_projector.engine.report import ProjectorReport
from daybook_projector.kafka.feed import Feed
from daybook_projector.kafka.log_bounds import LogBounds
from daybook_projector.partition.batch_rows import Poison
from daybook_projector.partition.machine import Batch, PartitionLog, PartitionStopped, start_of_command
from daybook_projector.partition.missing_users import RequiredUser, first_absent, required_users
from daybook_projector.postgres.checkpoints import CheckpointLost
from daybook_projector.postgres.users import AuthUsers, UsersLost
from daybook_projector.postgres.writer import Writer

BATCH_ENTRIES = 5_000
# Reading a record takes about 25 µs, so a slice takes 2.5 ms. Between two statements of a group, each worker may read
# one slice, while PostgreSQL waits.
SLICE_RECORDS = 100
# An idle partition checks its stored checkpoint this often, to notice a restored PostgreSQL: shards may be waiting for
# the checkpoint to advance.
IDLE_SECONDS = 5.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class WorkerContext:
    """What the workers of a process share. `write_slots` limits how many batches are written outside of groups at the
    same time.
    """

    bounds: LogBounds
    writer: Writer
    groups: GroupCommit
    users: AuthUsers
    report: ProjectorReport
    partitions: int
    write_slots: asyncio.Semaphore


class Worker:
    def __init__(self, partition: int, feed: Feed, context: WorkerContext) -> None:
        self.partition = partition
        self.feed = feed
        self.projected_to: int | None = None
        self._ended_at = 0
        self._context = context
        self._report = context.report

    async def run(self) -> None:
        """Returns when the feed is finished or the partition is stopped."""
        try:
            while True:
                log = await self._take_over()
                try:
                    await self._follow(log)
                except CheckpointLost:
                    self._report.checkpoint_lost(self.partition)
                else:
                    return
        except (PartitionStopped, LogChanged) as stop:
            self.feed.close()
            self._report.stopped(self.partition, str(stop))

    async def _take_over(self) -> PartitionLog:
        self.feed.close()
        self._context.users.forget()
        checkpoint = await self._retry(lambda: self._context.writer.checkpoint(self.partition))
        failpoint("amid-takeover")
        self._ended_at = await self._verify_bounds(checkpoint)
        self.projected_to = checkpoint.next_offset
        self.feed.open_at(checkpoint.first_to_read)
        self._report.taken_over(self.partition, checkpoint)
        return PartitionLog(self.partition, checkpoint, partitions=self._context.partitions)

    async def _follow(self, log: PartitionLog) -> None:
        while (records := await self.feed.take(SLICE_RECORDS, IDLE_SECONDS)) is not None:
            if not records:
                await self._verify_checkpoint(log)
                await self._verify_end(log)
            taken = 0
            while records:
                self._report.voids(self.partition, log.take(records))
                taken += len(records)
                records = self.feed.take_more(min(SLICE_RECORDS, BATCH_ENTRIES - taken))
                if records:
                    await asyncio.sleep(0)
            if log.has_gap:
                await self._verify_bounds(log.checkpoint)
                log.has_gap = False
            await self._project(log)

    async def _verify_bounds(self, checkpoint: Checkpoint) -> int:
        """Returns where the log ends. Raises `LogChanged` if it no longer begins at offset 0, or ends before the
        checkpoint.
        """
        bounds = await self._retry(lambda: self._context.bounds.read_bounds(self.partition))
        check_bounds(checkpoint.next_offset, *bounds)
        return bounds[1]

    async def _verify_end(self, log: PartitionLog) -> None:
        """If no record comes although the log had more at the takeover, checks whether those are lost: the consumer
        waits at the end of a log that has become shorter. Raises `LogChanged`.
        """
        if log.next_to_read < self._ended_at:
            check_end(await self._verify_bounds(log.checkpoint), self._ended_at)

    async def _verify_checkpoint(self, log: PartitionLog) -> None:
        """Raises `CheckpointLost` if the stored checkpoint has changed, as the next write would."""
        stored = await self._retry(lambda: self._context.writer.checkpoint(self.partition))
        if stored != log.checkpoint:
            raise CheckpointLost(f"partition {self.partition} is no longer at offset {log.checkpoint.next_offset}")

    async def _project(self, log: PartitionLog) -> None:
        while (batch := log.next_batch(BATCH_ENTRIES)) is not None:
            ready = await self._writable_part(log, batch)
            if ready is not None and await self._write(ready):
                log.mark_projected(ready)
                self.projected_to = ready.after.next_offset

    async def _writable_part(self, log: PartitionLog, batch: Batch) -> Batch | None:
        """The batch up to the first command that names a missing user. If the batch begins with that command, waits for
        the user and returns None: try again.
        """
        required = required_users(batch.entries)
        absent = await self._retry(lambda: self._context.users.find_absent(required.keys()))
        first = first_absent(required, absent)
        if first is None:
            return batch
        start = start_of_command(batch.entries, first.index)
        if start > 0:
            return batch.until(start)
        await self._wait_for_user(log, batch, first)
        return None

    async def _wait_for_user(self, log: PartitionLog, batch: Batch, user: RequiredUser) -> None:
        position = batch.entries[user.index].head.position
        self._report.waiting_for_user(self.partition, position, user.user_id)
        is_there = await self._retry(lambda: self._context.users.wait_until_known(user.user_id, self.partition))
        self._report.waited_for_user(self.partition, user.user_id, is_there=is_there)
        if is_there:
            return
        if user.is_actor:
            raise PartitionStopped(f"user {user.user_id}, actor of entry {self.partition}.{position}, does not exist")
        log.mark_poison(user.index, f"user {user.user_id} does not exist")

    async def _write(self, batch: Batch) -> bool:
        """Returns False if users of the batch were lost after they had been looked up: try again."""
        begun_at = perf_counter()
        try:
            poisons = [] if await self._context.groups.write(batch) else await self._write_alone(batch)
        except UsersLost:
            self._context.users.forget()
            return False
        failpoint("after-commit")
        self._report.projected(batch, perf_counter() - begun_at)
        for poison in poisons:
            self._report.quarantined(self.partition, poison)
        return True

    async def _write_alone(self, batch: Batch) -> list[Poison]:
        """Writes the batch in its own transaction, so that no other partition waits for what this one waits for. Each
        attempt takes a write slot again, so that other batches are written during the pauses of an outage.
        """

        async def attempt() -> list[Poison]:
            async with self._context.write_slots:
                return await self._context.writer.write(batch)

        return await self._retry(attempt)

    async def _retry(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Retries `attempt` during outages. Meanwhile the process is not ready."""
        try:
            return await retry_forever(attempt, partial(self._report.server_away, by=self))
        finally:
            for server in (DatabaseAway, KafkaAway):
                self._report.server_back(server, by=self)
