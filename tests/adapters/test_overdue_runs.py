"""Finding runs that have been running for too long, in a real PostgreSQL."""

import pytest

from daybook_command.postgres import overdue_runs as overdue
from daybook_command.postgres.overdue_runs import OverdueRuns
from daybook_command.shard.events import OverdueRun
from daybook_contracts.routing import partition_of
from daybook_infra.runtime.postgres.connections import Pool
from support.planted_rows import put_connection, put_org, put_runs

LIMIT_SECONDS = 1


async def put_overdue(pool: Pool, hours: int) -> OverdueRun:
    """Adds a run that started `hours` hours ago, and another connection with a failed run."""
    org_id, project_id = await put_org(pool)
    [run] = await put_runs(pool, await put_connection(pool, org_id, project_id), ["running"])
    await put_runs(pool, await put_connection(pool, org_id, project_id), ["failed"])
    await pool.execute("UPDATE sync_runs SET started_at = now() - make_interval(hours => $1) WHERE id = $2", hours, run)
    return OverdueRun(org_id, run)


async def next_runs(watch: OverdueRuns) -> dict[int, list[OverdueRun]]:
    return {partition: list(event.runs) for partition, event in (await watch.find()).items()}


async def test_overdue_runs_are_reported_to_the_partitions_of_their_orgs(pool: Pool) -> None:
    runs = [await put_overdue(pool, hours) for hours in (4, 3, 2)]
    watch = OverdueRuns(pool, partitions=12, limit_seconds=LIMIT_SECONDS)
    due = await next_runs(watch)
    assert sorted(run.sync_run_id for each in due.values() for run in each) == sorted(run.sync_run_id for run in runs)
    assert all(partition_of(run.org_id, 12) == partition for partition, each in due.items() for run in each)


async def test_a_run_within_the_limit_is_not_reported(pool: Pool) -> None:
    await put_overdue(pool, 0)
    for limit_seconds in (3600, 10**9):
        assert await next_runs(OverdueRuns(pool, partitions=1, limit_seconds=limit_seconds)) == {}


async def test_runs_of_an_org_in_quarantine_are_reported_after_its_release(pool: Pool) -> None:
    stuck = await put_overdue(pool, 2)
    await pool.execute(
        "INSERT INTO daybook.quarantine (org_id, partition, position, reason) VALUES ($1, 0, 5, 'x')", stuck.org_id
    )
    watch = OverdueRuns(pool, partitions=1, limit_seconds=LIMIT_SECONDS)
    assert await next_runs(watch) == {}
    await pool.execute("UPDATE daybook.quarantine SET released_at = now()")
    assert await next_runs(watch) == {0: [stuck]}


async def test_many_overdue_runs_are_reported_in_several_steps(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overdue, "MAX_RUNS", 2)
    runs = [await put_overdue(pool, hours) for hours in (4, 3, 2)]
    watch = OverdueRuns(pool, partitions=1, limit_seconds=LIMIT_SECONDS)
    assert [await next_runs(watch) for _ in range(3)] == [{0: runs[:2]}, {0: runs[2:]}, {0: runs[:2]}]
