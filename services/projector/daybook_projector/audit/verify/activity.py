"""Recounts `daybook.connection_activity` from the tables of runs and dead letters, in one snapshot: findings out."""

from collections.abc import AsyncIterator, Mapping
from typing import Final

import asyncpg
from msgspec import UNSET, UnsetType

from daybook_infra.runtime.postgres.connections import Connection, translated
from daybook_projector.audit.checks.finding import Finding
from daybook_projector.projections.connection_activity import CONNECTION_ACTIVITY

_COUNTED: Final = tuple(column for column in CONNECTION_ACTIVITY.columns if column not in CONNECTION_ACTIVITY.key)

# One statement for all connections. The columns of a side are null if that side has no row. $1: an org, or null for
# all.
_DIFFERING: Final = """
WITH ended AS (
    SELECT connection_id, max(finished_at) AS last_success FROM public.sync_runs WHERE status = 'success'
     GROUP BY connection_id
), runs AS (
    SELECT connection_id,
           count(*) FILTER (
               WHERE status = 'failed' AND finished_at > coalesce(last_success, '-infinity')
           ) AS failed_in_a_row,
           (array_agg(id ORDER BY started_at DESC, id) FILTER (WHERE status = 'running'))[1] AS running_run_id
      FROM public.sync_runs LEFT JOIN ended USING (connection_id) GROUP BY connection_id
), letters AS (
    SELECT connection_id, count(*) AS pending FROM public.dlq_events WHERE status = 'pending' GROUP BY connection_id
), counted AS (
    SELECT c.id AS connection_id, c.org_id, coalesce(letters.pending, 0) AS pending,
           coalesce(runs.failed_in_a_row, 0) AS failed_in_a_row, runs.running_run_id
      FROM public.source_connections AS c
      LEFT JOIN runs ON runs.connection_id = c.id LEFT JOIN letters ON letters.connection_id = c.id
)
SELECT coalesce(counted.connection_id, stored.connection_id)::text AS connection_id,
       counted.connection_id IS NOT NULL AS is_expected, stored.connection_id IS NOT NULL AS is_found,
       counted.pending AS expected_pending, stored.pending AS found_pending,
       counted.failed_in_a_row AS expected_failed_in_a_row, stored.failed_in_a_row AS found_failed_in_a_row,
       counted.running_run_id::text AS expected_running_run_id, stored.running_run_id::text AS found_running_run_id
  FROM counted FULL JOIN daybook.connection_activity AS stored USING (connection_id)
 WHERE ($1::uuid IS NULL OR counted.org_id = $1)
   AND (counted.connection_id IS NULL OR stored.connection_id IS NULL
        OR (counted.pending, counted.failed_in_a_row) IS DISTINCT FROM (stored.pending, stored.failed_in_a_row)
        OR counted.running_run_id IS DISTINCT FROM stored.running_run_id)
"""


async def recount(connection: Connection, org_id: str | None) -> AsyncIterator[Finding]:
    """A finding for each connection whose row is missing, surplus or wrong. It names the first column that differs, or
    shows the missing or surplus row. Raises `DatabaseAway`.
    """
    with translated():
        async for row in connection.cursor(_DIFFERING, org_id):
            expected, found = _values(row, "expected"), _values(row, "found")
            if expected is UNSET or found is UNSET:
                yield _finding(row["connection_id"], expected, found)
            else:
                field = next(column for column in _COUNTED if expected[column] != found[column])
                yield _finding(row["connection_id"], expected[field], found[field], field)


def _values(row: asyncpg.Record, side: str) -> Mapping[str, object] | UnsetType:
    return {column: row[f"{side}_{column}"] for column in _COUNTED} if row[f"is_{side}"] else UNSET


def _finding(connection_id: str, expected: object, found: object, field: str | UnsetType = UNSET) -> Finding:
    return Finding(
        check="activity",
        place="tables",
        table=CONNECTION_ACTIVITY.name,
        key=(connection_id,),
        field=field,
        expected=expected,
        found=found,
    )
