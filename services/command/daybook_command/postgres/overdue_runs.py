"""Looks for runs that are under way for too long: PostgreSQL's clock in, the runs of each partition out.

What is found is only a hint. A shard decides, on a snapshot of its own.
"""

import asyncio
from collections import defaultdict
from typing import Final

from daybook_command.postgres import snapshot_sql as sql
from daybook_command.shard.events import OverdueRun, RunsOverdue
from daybook_contracts.routing import partition_of
from daybook_infra.runtime.postgres.connections import Pool, translated

LOOK_SECONDS: Final = 15.0
# A short limit is looked after in time, too.
LOOKS_PER_LIMIT: Final = 4
# Far more than are overdue at once, unless all workers are gone. The next look goes on behind them: runs of another
# instance's partitions, should it stand still, do not hide ours.
MOST_AT_ONCE: Final = 10_000
BEFORE_ALL: Final = ("-infinity", "00000000-0000-0000-0000-000000000000")


class OverdueRuns:
    def __init__(self, pool: Pool, *, partitions: int, limit_seconds: int, look_seconds: float = LOOK_SECONDS) -> None:
        self._pool = pool
        self._partitions = partitions
        self._limit_seconds = limit_seconds
        self._pause = min(look_seconds, limit_seconds / LOOKS_PER_LIMIT)
        self._after = BEFORE_ALL

    async def find_next(self) -> dict[int, RunsOverdue]:
        """The overdue runs of each partition. Waits until the next look is due; raises DatabaseAway."""
        await asyncio.sleep(self._pause)
        with translated():
            rows = await self._pool.fetch(sql.OVERDUE, self._limit_seconds, *self._after, MOST_AT_ONCE)
        self._after = (rows[-1]["started_at"], rows[-1]["id"]) if len(rows) == MOST_AT_ONCE else BEFORE_ALL
        runs: defaultdict[int, list[OverdueRun]] = defaultdict(list)
        for row in rows:
            runs[partition_of(row["org_id"], self._partitions)].append(OverdueRun(row["org_id"], row["id"]))
        return {partition: RunsOverdue(found) for partition, found in runs.items()}
