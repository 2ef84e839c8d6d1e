"""Finds runs that have been running for too long, by PostgreSQL's clock: the overdue runs of each partition out.

A run that is found may have ended by now. Its shard decides, on a snapshot of its own.
"""

import asyncio
from collections import defaultdict
from typing import Final

from daybook_command.postgres import snapshot_sql as sql
from daybook_command.shard.events import OverdueRun, RunsOverdue
from daybook_contracts.routing import partition_of
from daybook_infra.runtime.postgres.connections import Pool, translated

PAUSE_SECONDS: Final = 15.0
# With a short limit, runs are looked up more often.
LOOKUPS_PER_LIMIT: Final = 4
# Far more than are overdue at once, unless all workers are gone. The next look-up starts behind these, so runs that
# another instance leaves undecided do not hide ours.
MAX_RUNS: Final = 10_000
BEFORE_ALL_RUNS: Final = ("-infinity", "00000000-0000-0000-0000-000000000000")


class OverdueRuns:
    def __init__(
        self, pool: Pool, *, partitions: int, limit_seconds: int, pause_seconds: float = PAUSE_SECONDS
    ) -> None:
        self._pool = pool
        self._partitions = partitions
        self._limit_seconds = limit_seconds
        self._pause = min(pause_seconds, limit_seconds / LOOKUPS_PER_LIMIT)
        self._after = BEFORE_ALL_RUNS

    async def find_next(self) -> dict[int, RunsOverdue]:
        """The overdue runs of each partition. Waits until the next look-up is due. Raises DatabaseAway."""
        await asyncio.sleep(self._pause)
        with translated():
            rows = await self._pool.fetch(sql.OVERDUE, self._limit_seconds, *self._after, MAX_RUNS)
        self._after = (rows[-1]["started_at"], rows[-1]["id"]) if len(rows) == MAX_RUNS else BEFORE_ALL_RUNS
        runs: defaultdict[int, list[OverdueRun]] = defaultdict(list)
        for row in rows:
            runs[partition_of(row["org_id"], self._partitions)].append(OverdueRun(row["org_id"], row["id"]))
        return {partition: RunsOverdue(found) for partition, found in runs.items()}
