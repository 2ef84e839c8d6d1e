"""Writes the ready batches of several partitions in one transaction, and tells each worker whether its batch was
written. While a group is written, the next batches wait and form the next group, so groups grow with the load, and a
lone batch never waits.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from daybook_infra.runtime.errors import DatabaseAway
from daybook_projector.partition.machine import Batch
from daybook_projector.postgres.writer import Writer

GROUP_ENTRIES = 5_000
# Several groups are written at a time, so that Python and PostgreSQL both have work: with two groups, PostgreSQL would
# be idle half of the time. A further group begins only when FURTHER_GROUP_ENTRIES entries wait, because one large
# transaction costs less than several small ones.
GROUPS = 4
FURTHER_GROUP_ENTRIES = 1_000


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    batch: Batch
    is_written: asyncio.Future[bool]


class GroupCommit:
    """Writes the groups in tasks of its own. If a worker is cancelled, its batch leaves the queue, or is still written
    with the others of its group. That is harmless, because the batch's checkpoint is compared.
    """

    def __init__(self, writer: Writer, tasks: asyncio.TaskGroup) -> None:
        self._writer = writer
        self._tasks = tasks
        self._waiting: list[_Waiting] = []
        self._running = 0
        self._started = set[asyncio.Task[None]]()

    async def write(self, batch: Batch) -> bool:
        """Returns True if the batch was written, which means that it had no poison entry. Returns False if its group
        failed, or if its checkpoint is locked or lost: then write the batch alone. After an outage, False is returned
        even if the batch was written; in that case, its checkpoint is lost.
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
        """Whether to write a group now, while `others` groups are being written."""
        if others == 0:
            return bool(self._waiting)
        return others < GROUPS and _count_entries(self._waiting) >= FURTHER_GROUP_ENTRIES

    def _take_group(self) -> list[_Waiting]:
        """The first batches that together have at most GROUP_ENTRIES entries, without those of cancelled workers. A
        batch with more entries is a group by itself. A partition that was given away and has come back may have two
        batches: they never share a group.
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
            # Each worker then writes its batch alone, and learns of the outage, or that its checkpoint has moved.
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
