"""Makes a consumer wait a moment before it fetches again. If records arrive one by one, each of them would otherwise
cost a request, an answer and all the work that follows. Records that arrive within one pause share that cost. A record
that comes after a quiet time is still fetched at once.
"""

import math
from collections.abc import Callable
from time import monotonic
from typing import Any, Final

from aiokafka import AIOKafkaConsumer
from aiokafka.consumer import fetcher

METADATA_PAUSE_SECONDS: Final = 0.1


class Pace:
    """The pause after records have arrived. Records that arrive during a pause, from other brokers, do not prolong it:
    so all brokers are asked at the same time.

    A pause lasts `seconds`. If more records arrive, it lasts longer, in proportion to their rate: `longest` seconds at
    `dense` records a second or more. The rate is measured since the last pause began, so after a quiet time it is low.
    """

    def __init__(
        self, seconds: float, now: Callable[[], float] = monotonic, *, longest: float = 0.0, dense: float = math.inf
    ) -> None:
        self._seconds = seconds
        self._longest = max(seconds, longest)
        self._dense = dense
        self._now = now
        self._records = 0
        self._begun_at = self._ends_at = now()

    def count(self, records: int) -> None:
        """Counts records that have arrived."""
        self._records += records

    def begin(self) -> None:
        """Begins a pause, unless one is in progress."""
        now = self._now()
        if now < self._ends_at:
            return
        rate = self._records / max(now - self._begun_at, self._seconds)
        self._ends_at = now + min(max(self._seconds, self._longest * rate / self._dense), self._longest)
        self._begun_at, self._records = now, 0

    def rest(self) -> float:
        """The seconds until the pause ends; 0 or less if it has ended."""
        return self._ends_at - self._now()


class PacedFetcher(fetcher.Fetcher):
    """Sends nothing during a pause, and does not look at the partitions. Answers to earlier fetches still arrive.

    Also pauses between requests for metadata. A stopped broker leaves its partitions without a leader, so aiokafka asks
    for metadata; and if no broker can be reached, it would ask again at once, and keep half a core busy.
    """

    pace: Pace | None = None

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)  # type: ignore[no-untyped-call]  # aiokafka's
        self._metadata_pace = Pace(METADATA_PAUSE_SECONDS)

    async def _proc_fetch_request(self, assignment: Any, node_id: Any, request: Any) -> bool:
        has_records: bool = await super()._proc_fetch_request(  # type: ignore[no-untyped-call]  # aiokafka's
            assignment, node_id, request
        )
        if has_records and self.pace is not None:
            self.pace.begin()
        return has_records

    async def fetched_records(
        self,
        partitions: Any,
        timeout: float = 0,  # noqa: ASYNC109 - as in aiokafka
        max_records: int | None = None,
    ) -> dict[Any, list[Any]]:
        drained: dict[Any, list[Any]] = await super().fetched_records(  # type: ignore[no-untyped-call]  # aiokafka's
            partitions, timeout, max_records
        )
        if self.pace is not None:
            self.pace.count(sum(map(len, drained.values())))
        return drained

    def _get_actions_per_node(self, assignment: Any) -> tuple[Any, Any, float, Any, Any]:
        """The third value is the time after which the fetcher calls this again; the fourth, whether it asks for
        metadata.
        """
        rest = 0.0 if self.pace is None else self.pace.rest()
        if rest > 0:
            return [], {}, min(rest, self._fetcher_timeout), False, []
        fetches, resets, seconds, is_stale, resumed = super()._get_actions_per_node(  # type: ignore[no-untyped-call]  # as above
            assignment
        )
        metadata_rest = self._metadata_pace.rest()
        if is_stale and metadata_rest > 0:
            is_stale, seconds = False, min(seconds, metadata_rest)
        elif is_stale:
            self._metadata_pace.begin()
        return fetches, resets, seconds, is_stale, resumed


def pace_fetches(consumer: AIOKafkaConsumer, pace: Pace) -> None:
    """The consumer must be started."""
    started: Any = consumer._fetcher  # noqa: SLF001 - aiokafka has no option for this
    started.pace = pace
