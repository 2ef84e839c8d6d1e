"""Finds sync runs that have been running for too long, by PostgreSQL's clock.

A run that is found may have ended since. So the shard decides on a newer snapshot whether to fail it.
"""

import asyncio
from collections import defaultdict
from typing import Final

from daybook_command.postgres import snapshot_sql as sql
from daybook_command.shard.events import OverdueRun, RunsOverdue
from daybook_contracts.routing import partition_of
from daybook_infra.runtime.postgres.connections import Pool, translated

PAUSE_SECONDS: Final = 15.0
# If the limit is short, the pause is shorter, so that there are this many look-ups within the limit.
LOOKUPS_PER_LIMIT: Final = 4
# Maximum number of runs in one look-up: far more than are overdue at once, unless all workers are gone. If a look-up
# finds this many, the next one starts after the last of them. So runs that another instance leaves undecided do not
# hide those of this one.
MAX_RUNS: Final = 10_000
BEFORE_ALL_RUNS: Final = ("-infinity", "00000000-0000-0000-0000-000000000000")


class OverdueRuns:
    def __init__(self, pool: Pool, *, partitions: int, limit_seconds: int) -> None:
        self._pool = pool
        self._partitions = partitions
        self._limit_seconds = limit_seconds
        self._pause = min(PAUSE_SECONDS, limit_seconds / LOOKUPS_PER_LIMIT)
        self._after = BEFORE_ALL_RUNS

    async def wait_until_due(self) -> None:
        """Waits until the next look-up is due."""
        await asyncio.sleep(self._pause)

    async def find(self) -> dict[int, RunsOverdue]:
        """Returns the overdue runs of each partition. Raises DatabaseAway."""
        with translated():
            rows = await self._pool.fetch(sql.OVERDUE, self._limit_seconds, *self._after, MAX_RUNS)
        self._after = (rows[-1]["started_at"], rows[-1]["id"]) if len(rows) == MAX_RUNS else BEFORE_ALL_RUNS
        runs: defaultdict[int, list[OverdueRun]] = defaultdict(list)
        for row in rows:
            runs[partition_of(row["org_id"], self._partitions)].append(OverdueRun(row["org_id"], row["id"]))
        return {partition: RunsOverdue(found) for partition, found in runs.items()}
