"""Runs that are under way for too long, as PostgreSQL tells of them."""

from collections.abc import AsyncIterator

import pytest

from daybook_command.postgres import overdue_runs as overdue
from daybook_command.postgres.overdue_runs import OverdueRuns
from daybook_command.shard.events import OverdueRun
from daybook_contracts.routing import partition_of
from daybook_infra.runtime.postgres.connections import Pool, close_pool, open_pool
from support.planted_rows import put_connection, put_org, put_runs
from support.stack import FreshSettings

# So that nobody waits long: the looks are a quarter of it apart.
LIMIT_SECONDS = 1


@pytest.fixture
async def pool(fresh_settings: FreshSettings) -> AsyncIterator[Pool]:
    pool = await open_pool(fresh_settings(), "test")
    yield pool
    await close_pool(pool)


async def put_overdue(pool: Pool, hours: int) -> OverdueRun:
    """A run that has been under way for so long, beside a connection whose run has failed."""
    org_id, project_id = await put_org(pool)
    [run] = await put_runs(pool, await put_connection(pool, org_id, project_id), ["running"])
    await put_runs(pool, await put_connection(pool, org_id, project_id), ["failed"])
    await pool.execute("UPDATE sync_runs SET started_at = now() - make_interval(hours => $1) WHERE id = $2", hours, run)
    return OverdueRun(org_id, run)


async def found(looks: OverdueRuns) -> dict[int, list[OverdueRun]]:
    return {partition: list(event.runs) for partition, event in (await looks.next()).items()}


async def test_runs_are_told_to_the_partitions_of_their_orgs(pool: Pool) -> None:
    runs = [await put_overdue(pool, hours) for hours in (4, 3, 2)]
    looks = OverdueRuns(pool, partitions=12, limit_seconds=LIMIT_SECONDS)
    told = await found(looks)
    assert sorted(run.sync_run_id for each in told.values() for run in each) == sorted(run.sync_run_id for run in runs)
    assert all(partition_of(run.org_id, 12) == partition for partition, each in told.items() for run in each)


async def test_a_run_within_its_limit_is_left_alone(pool: Pool) -> None:
    await put_overdue(pool, 0)
    assert await found(OverdueRuns(pool, partitions=1, limit_seconds=3600, look_seconds=0.01)) == {}


async def test_runs_of_an_org_in_quarantine_wait_for_its_release(pool: Pool) -> None:
    stuck = await put_overdue(pool, 2)
    await pool.execute(
        "INSERT INTO daybook.quarantine (org_id, partition, position, reason) VALUES ($1, 0, 5, 'x')", stuck.org_id
    )
    looks = OverdueRuns(pool, partitions=1, limit_seconds=LIMIT_SECONDS)
    assert await found(looks) == {}
    await pool.execute("UPDATE daybook.quarantine SET released_at = now()")
    assert await found(looks) == {0: [stuck]}


async def test_more_than_one_look_can_tell_are_told_one_look_after_another(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overdue, "MOST_AT_ONCE", 2)
    runs = [await put_overdue(pool, hours) for hours in (4, 3, 2)]
    looks = OverdueRuns(pool, partitions=1, limit_seconds=LIMIT_SECONDS)
    assert [await found(looks) for _ in range(3)] == [{0: runs[:2]}, {0: runs[2:]}, {0: runs[:2]}]
