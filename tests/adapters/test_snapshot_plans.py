"""If a connection has many rows, a shard reads only those that it needs, even if PostgreSQL's statistics are old or
missing.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from daybook_command.domain.children import Children
from daybook_command.postgres import child_sql as sql
from daybook_command.postgres.child_loader import load_children
from daybook_command.postgres.child_rows import ChildRows
from daybook_command.shard.snapshot import OrgNeeds
from daybook_infra.runtime.postgres.connections import OwnConnection
from support.planted_rows import (
    ids,
    put_activity,
    put_connection,
    put_dead_letters,
    put_many_dead_letters,
    put_many_runs,
    put_org,
    put_runs,
)

MANY, PENDING, TOUCHED = 10_000, 3000, 1000
ANALYZE = "ANALYZE sync_runs, dlq_events, source_connections"
SHARED_DATABASE = True


async def fill(database: OwnConnection, statistics: str) -> tuple[str, str]:
    """Inserts an org with a connection that has many cancelled runs and many resolved dead letters, and with another
    connection that has many running and failed runs. `statistics` are "new", "old" (from before most rows were
    inserted) or "none".
    """
    org_id, project_id = await put_org(database)
    connection_id, other_id = [await put_connection(database, org_id, project_id) for _ in range(2)]
    for each in (connection_id, other_id):
        await put_activity(database, each)
    await put_runs(database, connection_id, ["success", *["failed"] * 5])
    await put_dead_letters(database, connection_id, ids(PENDING))
    if statistics == "old":
        await database.execute(ANALYZE)
    await put_many_runs(database, connection_id, "cancelled", MANY)
    for status in ("running", "failed"):
        await put_many_runs(database, other_id, status, MANY)
    await put_many_dead_letters(database, connection_id, "resolved", MANY)
    if statistics == "new":
        await database.execute(ANALYZE)
    return org_id, connection_id


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from nodes(part)


def literal(value: object) -> str:
    return "'{" + ",".join(map(str, value)) + "}'" if isinstance(value, list) else str(value)


async def rows_read(database: OwnConnection, statement: str, *arguments: object) -> int:
    """The number of table rows that the statement reads with the service's plan, including those that it filters out.
    The plan is generic: it is the same for all arguments. EXPLAIN shows such a plan only for a prepared statement.
    """
    for name, value in sql.SESSION.items():
        await database.execute(f"SET LOCAL {name} = {value}")
    await database.execute(f"PREPARE asked AS {statement}")
    values = ", ".join(map(literal, arguments))
    found = await database.fetchval(f"EXPLAIN (ANALYZE, VERBOSE, TIMING OFF, FORMAT JSON) EXECUTE asked ({values})")
    await database.execute("DEALLOCATE asked")
    assert "$1" in found, "the plan is not generic"
    scans = [node for node in nodes(json.loads(found)[0]["Plan"]) if "Relation Name" in node]
    assert {node["Node Type"] for node in scans} <= {"Index Scan", "Index Only Scan"}, found
    removed = "Rows Removed by Filter"
    return sum(round((node["Actual Rows"] + node.get(removed, 0)) * node["Actual Loops"]) for node in scans)


@pytest.mark.parametrize("statistics", ["none", "old", "new"])
async def test_an_activity_is_read_and_not_counted(database: OwnConnection, statistics: str) -> None:
    _, connection_id = await fill(database, statistics)
    connection, its_activity = 1, 1
    assert await rows_read(database, sql.ACTIVITIES, [connection_id]) == connection + its_activity


@pytest.mark.parametrize("statistics", ["none", "old", "new"])
async def test_a_filter_reads_only_the_rows_it_counts_and_excludes(database: OwnConnection, statistics: str) -> None:
    org_id, connection_id = await fill(database, statistics)
    pending = "SELECT id::text FROM dlq_events WHERE status = 'pending' ORDER BY id LIMIT $1"
    touched = [row["id"] for row in await database.fetch(pending, TOUCHED)]
    asked = ([org_id], [connection_id], touched, 1000, 1500)
    assert await rows_read(database, sql.MATCHING, *asked) == 1 + TOUCHED + 1500


@pytest.mark.parametrize("statistics", ["none", "old", "new"])
async def test_a_filter_does_not_read_rows_with_higher_retry_counts(database: OwnConnection, statistics: str) -> None:
    org_id, connection_id = await fill(database, statistics)
    last = "SELECT id FROM dlq_events WHERE status = 'pending' ORDER BY id DESC LIMIT 50"
    counts = f"CASE WHEN id IN ({last}) THEN 2 ELSE 4 END"
    await database.execute(f"UPDATE dlq_events SET retry_count = {counts} WHERE status = 'pending'")
    if statistics == "new":
        await database.execute(ANALYZE)
    asked: tuple[object, ...] = ([org_id], [connection_id], [], 1000, 1500)
    connection, levels = 1, 2
    assert await rows_read(database, sql.RETRIED_AT_MOST, *asked, [1]) == connection + 1
    assert await rows_read(database, sql.RETRIED_AT_MOST, *asked, [3]) == connection + levels + 50 + 50
    assert await rows_read(database, sql.RETRIED_AT_MOST, *asked, [4]) == connection + levels + 1500 + 50 + 1000


@pytest.mark.parametrize("statement", [sql.RUNS, sql.DEAD_LETTERS])
async def test_named_rows_are_found_by_primary_key(database: OwnConnection, statement: str) -> None:
    await fill(database, "new")
    table = "sync_runs" if statement is sql.RUNS else "dlq_events"
    sample = [row["id"] for row in await database.fetch(f"SELECT id::text FROM {table} LIMIT 100")]
    assert await rows_read(database, statement, sample) <= 300


async def test_a_batch_that_names_no_rows_runs_no_statement(database: OwnConnection) -> None:
    org_id, _ = await put_org(database)
    statements: list[str] = []
    with database.query_logger(lambda record: statements.append(record.query)):
        assert await load_children(database, [OrgNeeds(org_id, 0)], {org_id}, ChildRows()) == {org_id: Children()}
    assert statements == []
