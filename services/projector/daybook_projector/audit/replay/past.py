"""The past state of one partition: takes its entries up to a moment; returns rows, spilled entries and the last
position. Runs in a process for each core, so tasks and results can be sent to another process.
"""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import uvloop

from daybook_contracts.timestamps import microseconds
from daybook_infra.runtime.errors import DaybookError
from daybook_projector.audit.fold.fold import NO_ORG, PartitionFold
from daybook_projector.audit.log.entries import redacted_positions
from daybook_projector.audit.log.source import ReadSource
from daybook_projector.audit.replay.spilled import NamedUsers, SpilledRows
from daybook_projector.audit.verify.workers import count_read
from daybook_projector.partition.entry import PartitionEntry
from daybook_projector.projections.fold import folds

NOTHING: Final = -1
"""The position before the first entry."""


class Redacted(DaybookError):
    """The data of an entry is gone, so what it changed is not known."""


@dataclass(frozen=True, slots=True)
class PastTask:
    """`until`: the last position to take. `time`: a limit in microseconds; the first entry after it and all that follow
    are left out. `frozen`: for each org in quarantine, the position of its poison entry.
    """

    partition: int
    until: int
    time: int | None
    org_id: str | None
    frozen: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class PastPartition:
    """`position`: the position of the last entry taken, or NOTHING. `time`: the `created_at` of that entry. `entries`:
    how many rows of `audit_log` were spilled. `unapplied`: for each org that is not in quarantine, the first entry that
    could not be applied, and why.
    """

    partition: int
    position: int
    time: int | None
    entries: int
    unapplied: tuple[tuple[int, str], ...] = ()


def spill_paths(folder: Path, partition: int) -> tuple[Path, Path]:
    """The paths of the files for the rows of `audit_log` and for the users."""
    return folder / f"audit-{partition:04}.copy", folder / f"users-{partition:04}.sqlite"


def fold_past(source: ReadSource, folder: Path, task: PastTask) -> PastPartition:
    """Writes the files of the partition into `folder`, where `PastRows` reads them. Raises `DaybookError`."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_fold_past(source, folder, task))


async def _fold_past(source: ReadSource, folder: Path, task: PastTask) -> PastPartition:
    rows_path, users_path = spill_paths(folder, task.partition)
    async with AsyncExitStack() as stack:
        fold = PartitionFold(folder, task.partition, folds(managed_users=source.managed_users), task.frozen)
        stack.callback(fold.close)
        rows = SpilledRows(rows_path)
        stack.callback(rows.close)
        users = NamedUsers(users_path)
        stack.callback(users.close)
        past = PastFold(task, fold, rows, users)
        async for page in await stack.enter_async_context(source.entries(task.partition, task.until, task.org_id)):
            past.take(page)
            count_read(len(page))
            if past.is_complete:
                break
        return past.result()


class PastFold:
    """Takes pages of entries until the moment is reached."""

    def __init__(self, task: PastTask, fold: PartitionFold, rows: SpilledRows, users: NamedUsers) -> None:
        self._task = task
        self._fold = fold
        self._rows = rows
        self._users = users
        self._frozen = dict(task.frozen)
        self._position = NOTHING
        self._time: int | None = None
        self._entries = 0
        self._unapplied: list[tuple[int, str]] = []
        self.is_complete = False

    def take(self, page: list[PartitionEntry]) -> None:
        """Raises `Redacted`."""
        wanted = [entry for entry in self._until_moment(page) if self._is_wanted(entry)]
        redacted = redacted_positions(wanted)
        if redacted:
            raise Redacted(
                f"entry {self._task.partition}.{redacted[0]} is redacted in audit_log, so what it changed is not "
                "known: read the topic (--from topic)"
            )
        for poison in self._fold.take(wanted):
            self._unapplied.append((poison.position, poison.reason))
            if poison.org_id != NO_ORG:
                self._frozen[poison.org_id] = min(poison.position, self._frozen.get(poison.org_id, poison.position))
        for entry in wanted:
            self._spill(entry)

    def result(self) -> PastPartition:
        return PastPartition(self._task.partition, self._position, self._time, self._entries, tuple(self._unapplied))

    def _until_moment(self, page: list[PartitionEntry]) -> list[PartitionEntry]:
        """The entries up to the moment. The first entry after the moment ends the past. An entry from before the moment
        can follow only in a log that was tampered with.
        """
        for at, entry in enumerate(page):
            time = self._time if entry.columns is None else microseconds(entry.columns.created_at)
            if self._task.time is not None and time is not None and time > self._task.time:
                self.is_complete = True
                return page[:at]
            self._position, self._time = entry.head.position, time
        return page

    def _is_wanted(self, entry: PartitionEntry) -> bool:
        return self._task.org_id is None or (entry.org_id or "").lower() == self._task.org_id

    def _spill(self, entry: PartitionEntry) -> None:
        if entry.columns is None:
            return
        org_id = (entry.org_id or "").lower()
        is_applied = entry.poison is None and entry.head.position < self._frozen.get(org_id, entry.head.position + 1)
        self._rows.add(entry.columns, entry.metadata)
        self._users.add(entry, is_applied=is_applied)
        self._entries += 1
