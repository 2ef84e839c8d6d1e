"""Replays the log up to a moment: a moment in; a summary of each partition out, and its state at that moment in files.
Only the org's partition is read if an org is given. Nothing beyond the checkpoints of the snapshot is read.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from daybook_contracts.log.head import NOTHING_PROJECTED
from daybook_contracts.routing import partition_of
from daybook_contracts.timestamps import timestamp
from daybook_infra.runtime.errors import DaybookError
from daybook_infra.runtime.settings import Settings
from daybook_projector.audit.log.source import LogName, ReadSource
from daybook_projector.audit.log.topic import open_topic
from daybook_projector.audit.replay.as_of import AsOf, MalformedMoment
from daybook_projector.audit.replay.past import NOTHING, PastPartition, PastTask, fold_past
from daybook_projector.audit.verify.snapshot import AuditSnapshot
from daybook_projector.audit.verify.workers import Workers, open_workers

ShowReading = Callable[[int, str], AbstractContextManager[Callable[[int], None]]]
"""Called with the expected amount and a word for what is counted. The context manager yields a function; call it with
the number of items done since the last call.
"""

_NOW: Final = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint"


@dataclass(frozen=True, slots=True)
class PastRequest:
    as_of: AsOf
    org_id: str | None
    log: LogName


@dataclass(frozen=True, slots=True)
class FoundPast:
    """`notes`: what the user should know about this past."""

    partitions: tuple[PastPartition, ...]
    notes: tuple[str, ...]

    @property
    def positions(self) -> str:
        """The last position of each partition that has entries."""
        return " ".join(f"{past.partition}.{past.position}" for past in self.partitions if past.position > NOTHING)


async def find_past(
    settings: Settings, snapshot: AuditSnapshot, request: PastRequest, folder: Path, show: ShowReading
) -> FoundPast:
    """Writes the files of each partition into `folder`, where `PastRows` reads them. Raises `DaybookError`."""
    search = _PastSearch(settings, snapshot, request, folder)
    search.check()
    with show(search.max_entries, "entries read") as advance:
        async with open_workers(search.max_entries, advance) as workers:
            partitions = await search.find(workers)
    if request.org_id is not None and not any(past.entries for past in partitions):
        raise DaybookError(
            f"org {request.org_id} has no entry up to the given moment: check the org's id and the moment"
        )
    notes = (*_unapplied_notes(partitions), *await search.future_notes(), *await search.unprojected_notes(partitions))
    return FoundPast(partitions, notes)


def described(request: PastRequest) -> str:
    """The moment and what was read, in one line."""
    as_of = request.as_of
    moment = [] if as_of.time is None else [timestamp(as_of.time)]
    moment += [f"{partition}.{position}" for partition, position in sorted(as_of.positions.items())]
    org = "" if request.org_id is None else f", org {request.org_id}"
    return f"as of {' '.join(moment)}{org}, from {request.log}"


class _PastSearch:
    def __init__(self, settings: Settings, snapshot: AuditSnapshot, request: PastRequest, folder: Path) -> None:
        self._settings = settings
        self._snapshot = snapshot
        self._request = request
        self._fold = partial(fold_past, ReadSource(settings, request.log, snapshot.id), folder)

    @property
    def max_entries(self) -> int:
        """An upper bound on the number of entries to read."""
        return sum(1 + self._named_or_end(partition) for partition in self._numbers())

    def check(self) -> None:
        """Raises `MalformedMoment` if a position is not in the org's partition, or is not projected yet."""
        as_of, numbers = self._request.as_of, self._numbers()
        for partition, position in as_of.positions.items():
            if partition not in numbers:
                raise MalformedMoment(
                    f"{partition}.{position} is not in the org's partition: give a position in partition {numbers[0]}, "
                    "or a time"
                )
            if position > self._end(partition):
                raise MalformedMoment(
                    f"{partition}.{position} is not projected yet: partition {partition} is at {self._end(partition)}"
                )

    async def find(self, workers: Workers) -> tuple[PastPartition, ...]:
        as_of = self._request.as_of
        named = await self._fold_all(workers, sorted(as_of.positions), None)
        # Without a time, the other partitions end at the time of the latest entry at the given positions.
        time = max((past.time or 0 for past in named), default=0) if as_of.time is None else as_of.time
        others = await self._fold_all(workers, [each for each in self._numbers() if each not in as_of.positions], time)
        return tuple(sorted([*named, *others], key=lambda past: past.partition))

    async def future_notes(self) -> list[str]:
        time = self._request.as_of.time
        now: int = await self._snapshot.connection.fetchval(_NOW)
        return (
            [f"{timestamp(time)} is in the future: these are the tables as they are now"] if time and time > now else []
        )

    async def unprojected_notes(self, partitions: Iterable[PastPartition]) -> list[str]:
        """Notes on partitions that may have more entries from before the moment, which are not in the tables yet."""
        if self._request.log != "topic":
            return []
        notes = []
        async with open_topic(self._settings) as topic:
            for past in partitions:
                checkpoint = self._snapshot.checkpoints.get(past.partition, NOTHING_PROJECTED)
                is_cut = past.partition in self._request.as_of.positions or past.position < checkpoint.head.position
                if not is_cut and (await topic.bounds(past.partition))[1] > checkpoint.next_offset:
                    notes.append(f"entries of partition {past.partition} that are not projected yet are left out")
        return notes

    async def _fold_all(self, workers: Workers, numbers: Sequence[int], time: int | None) -> list[PastPartition]:
        """Folds the longest logs first, so that the cores finish together."""
        ordered = sorted(numbers, key=self._named_or_end, reverse=True)
        return await workers.all(partial(self._fold, self._task(partition, time)) for partition in ordered)

    def _task(self, partition: int, time: int | None) -> PastTask:
        quarantined = self._snapshot.quarantined_in(partition)
        return PastTask(
            partition=partition,
            until=self._named_or_end(partition),
            time=time,
            org_id=self._request.org_id,
            frozen={each.org_id: each.position for each in quarantined},
        )

    def _numbers(self) -> Sequence[int]:
        org_id, partitions = self._request.org_id, self._settings.partitions
        return range(partitions) if org_id is None else [partition_of(org_id, partitions)]

    def _named_or_end(self, partition: int) -> int:
        return self._request.as_of.positions.get(partition, self._end(partition))

    def _end(self, partition: int) -> int:
        return self._snapshot.checkpoints.get(partition, NOTHING_PROJECTED).head.position


def _unapplied_notes(partitions: Iterable[PastPartition]) -> list[str]:
    return [
        f"entry {past.partition}.{position} cannot be applied ({reason}): its org is shown as it was before this entry"
        for past in partitions
        for position, reason in past.unapplied
    ]
