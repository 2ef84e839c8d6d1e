"""Writes the ready batches of several partitions in one transaction: batches from the workers in; whether they are
written out. While one group is written, the next batches wait for it and form the next group, so groups grow with the
load, and a lone batch never waits.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from daybook_infra.runtime.errors import DatabaseAway
from daybook_projector.partition.machine import Batch
from daybook_projector.postgres.writer import Writer

GROUP_ENTRIES = 5_000
# Several groups at a time, so that Python and PostgreSQL work at the same time: with two, PostgreSQL waits half of the
# time. But further groups only if they are this large, because for small groups one larger transaction costs less.
GROUPS = 4
FURTHER_GROUP_ENTRIES = 1_000


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    batch: Batch
    is_written: asyncio.Future[bool]


class GroupCommit:
    """Its tasks write the groups, not the workers. So a worker that is cancelled leaves the queue, or abandons its
    batch to a transaction that goes on for the others: that is harmless, because the batch's checkpoint is compared.
    """

    def __init__(self, writer: Writer, tasks: asyncio.TaskGroup) -> None:
        self._writer = writer
        self._tasks = tasks
        self._waiting: list[_Waiting] = []
        self._running = 0
        self._started = set[asyncio.Task[None]]()

    async def write(self, batch: Batch) -> bool:
        """Whether the batch was written, without poison. If not, its group failed or its checkpoint is locked or lost:
        write it alone. After an outage it may have been written all the same: then its checkpoint is lost.
        """
        waiting = _Waiting(batch, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        if self._is_group_due(self._running):
            self._running += 1
            task = self._tasks.create_task(self._write_groups())
            self._started.add(task)
            task.add_done_callback(self._started.discard)
        return await waiting.is_written

    def cancel(self) -> None:
        for task in self._started:
            task.cancel()

    async def _write_groups(self) -> None:
        while self._is_group_due(self._running - 1):
            await self._write_group(self._take_group())
        self._running -= 1

    def _is_group_due(self, others: int) -> bool:
        """Whether to write a group now, while `others` are being written."""
        if others == 0:
            return bool(self._waiting)
        return others < GROUPS and _count_entries(self._waiting) >= FURTHER_GROUP_ENTRIES

    def _take_group(self) -> list[_Waiting]:
        """The first batches that together have at most GROUP_ENTRIES entries, without those of cancelled workers. One
        batch may have more. A partition has two batches if it was given away and has come back: they never share a
        group.
        """
        group: list[_Waiting] = []
        left: list[_Waiting] = []
        partitions, entries = set[int](), 0
        for each in self._waiting:
            partition, size = each.batch.partition, len(each.batch.entries)
            if each.is_written.done():
                continue
            if group and (entries + size > GROUP_ENTRIES or partition in partitions):
                left.append(each)
                continue
            group.append(each)
            partitions.add(partition)
            entries += size
        self._waiting = left
        return group

    async def _write_group(self, group: list[_Waiting]) -> None:
        written = frozenset[int]()
        try:
            if group:
                written = await self._writer.write_together([each.batch for each in group])
        except DatabaseAway:
            # Each worker learns of the outage when it writes its batch alone, or that its checkpoint has moved.
            pass
        for each in group:
            if not each.is_written.done():
                each.is_written.set_result(each.batch.partition in written)


@asynccontextmanager
async def open_group_commit(writer: Writer) -> AsyncIterator[GroupCommit]:
    """At the end of the block, the groups in progress are rolled back: no worker waits for them any more."""
    async with asyncio.TaskGroup() as tasks:
        groups = GroupCommit(writer, tasks)
        yield groups
        groups.cancel()


def _count_entries(waiting: Iterable[_Waiting]) -> int:
    return sum(len(each.batch.entries) for each in waiting)
