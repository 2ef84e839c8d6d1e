"""Limits how much a consumer decompresses before other tasks get a turn, and serves its partitions in turn. aiokafka
fetches compressed batches and decompresses them when records are asked for. One response of a few MiB can hold hundreds
of batches that each decompress to just below MAX_DECOMPRESSED_BYTES.
"""

import asyncio
from typing import Any, Final

from aiokafka.consumer import consumer, fetcher

from daybook_infra.runtime.kafka.decompression import totals
from daybook_infra.runtime.kafka.light_records import LightRecords
from daybook_infra.runtime.kafka.paced_fetching import PacedFetcher

PORTION_BYTES: Final = 16 * 1024 * 1024
"""One `getmany` stops when it has decompressed this much. Its last batch may exceed the limit."""

# A shorter pause is not worth a timer.
_SHORTEST_PAUSE_SECONDS = 0.005

_Record = Any


class _Portion:
    """The total of decompressed bytes at which the current call of `fetched_records` stops."""

    stop_at = PORTION_BYTES

    @property
    def is_used_up(self) -> bool:
        return totals.decompressed_bytes >= self.stop_at


_portion: Final = _Portion()


class PortionedResult(fetcher.FetchResult):
    """What was fetched from one partition. `getall` works as aiokafka's does, but stops when the portion is used up."""

    def getall(self, max_records: int | None = None) -> list[_Record]:
        if not self._may_be_handed_over() or _portion.is_used_up:
            return []
        taken: list[_Record] = []
        is_exhausted = False
        while not (is_exhausted or len(taken) == max_records or _portion.is_used_up):
            records = self._partition_records.take(None if max_records is None else max_records - len(taken))
            is_exhausted = not records
            taken += records
        self._update_position()  # type: ignore[no-untyped-call]  # aiokafka's
        if is_exhausted:
            self._partition_records = None
        return taken

    def _may_be_handed_over(self) -> bool:
        assigned: bool = self.check_assignment(self._topic_partition)  # type: ignore[no-untyped-call]  # aiokafka's
        return assigned and self._partition_records is not None


class FairFetcher(PacedFetcher):
    """Each call first sleeps as long as the previous call decompressed, so other tasks get at least half of the event
    loop's time. A partition with records left goes behind the others.
    """

    _pause_seconds = 0.0

    async def fetched_records(
        self,
        partitions: Any,
        timeout: float = 0,  # noqa: ASYNC109 - as in aiokafka
        max_records: int | None = None,
    ) -> dict[Any, list[_Record]]:
        pause, self._pause_seconds = self._pause_seconds, 0.0
        if pause > _SHORTEST_PAUSE_SECONDS:
            await asyncio.sleep(pause)
        before = totals.seconds
        _portion.stop_at = totals.decompressed_bytes + PORTION_BYTES
        drained: dict[Any, list[_Record]] = await super().fetched_records(partitions, timeout, max_records)
        self._pause_seconds = totals.seconds - before
        for place in drained:
            if place in self._records:
                self._records.move_to_end(place)
        return drained


def install() -> None:
    """Affects every consumer made in this process from now on."""
    fetcher.PartitionRecords = LightRecords  # type: ignore[misc]  # as below
    fetcher.FetchResult = PortionedResult  # type: ignore[misc]  # aiokafka has no other hook for this
    consumer.Fetcher = FairFetcher  # type: ignore[attr-defined]  # as above
