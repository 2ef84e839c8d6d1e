"""The listings read little more than the rows that they print or count, even from large tables."""

import asyncio
import json
from typing import Any

import pytest

from daybook_infra.operations.listing_sql import ALERTS, CONNECTIONS, PENDING_COUNTED, RUNS
from daybook_infra.runtime.postgres.connections import connect
from daybook_infra.runtime.settings import Settings
from support.hub_rows import ADS, HOTMART, fill
from support.stack import FreshSettings

MANY_RUNS = """
INSERT INTO sync_runs SELECT gen_random_uuid(), $1, CASE WHEN n % 500 = 0 THEN 'failed' ELSE 'success' END,
    timestamptz '2026-01-01Z' + n * interval '1 second', now(), null
FROM generate_series(1, 50000) AS n
"""
MANY_RAISED = """
INSERT INTO audit_log SELECT gen_random_uuid(), org_id, null, null, 'RAISE_ALERT', 'integration_alert',
    gen_random_uuid(), 'success', jsonb_build_object('data', jsonb_build_object('connection_id', id)), now()
FROM source_connections, generate_series(1, 50000) WHERE id = $1
"""
MANY_PENDING = """
INSERT INTO dlq_events SELECT gen_random_uuid(), $1, '1', 'pending', 0 FROM generate_series(1, 50000)
"""


@pytest.fixture(scope="module")
def settings(lasting_settings: FreshSettings) -> Settings:
    settings = lasting_settings()
    asyncio.run(fill(settings))
    return settings


async def test_the_latest_failed_runs_are_found_without_reading_other_runs(settings: Settings) -> None:
    nodes = await scans(settings, "sync_runs", MANY_RUNS, RUNS, ["running", "failed"], None, None, None, 50)
    assert {node.get("Index Name") for node in nodes} == {"sync_runs_failed", "sync_runs_running"}
    assert rows_read(nodes) <= 60


async def test_counting_stops_at_the_limit_for_a_connection_with_many_dead_letters(settings: Settings) -> None:
    no_filter = (True, None, None, None, None, 100, PENDING_COUNTED)
    nodes = await scans(settings, "dlq_events", MANY_PENDING, CONNECTIONS, *no_filter)
    assert {node.get("Index Name") for node in nodes} == {"dlq_events_connection_id"}
    assert rows_read(nodes) < 2 * PENDING_COUNTED


@pytest.mark.parametrize("connection_id", [None, ADS])
async def test_the_entries_of_listed_alerts_are_found_without_reading_other_entries(
    settings: Settings, connection_id: str | None
) -> None:
    severities = ["critical", "warning", "info"]
    nodes = await scans(settings, "audit_log", MANY_RAISED, ALERTS, severities, None, None, connection_id, [], 50)
    assert {node.get("Index Name") for node in nodes} == {"audit_log_raised_alerts"}
    assert rows_read(nodes) < 20


async def scans(settings: Settings, table: str, insert: str, statement: str, *values: object) -> list[dict[str, Any]]:
    """How the statement scans a table that was filled for HOTMART. The rows are rolled back."""
    async with connect(settings, "test") as database:
        transaction = database.transaction()
        await transaction.start()
        await database.execute(insert, HOTMART)
        await database.execute(f"ANALYZE {table}")
        plan = await database.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", *values)
        await transaction.rollback()
    nodes = walk(json.loads(plan)[0]["Plan"])
    return [node for node in nodes if node.get("Relation Name") == table and node["Actual Loops"]]


def rows_read(nodes: list[dict[str, Any]]) -> float:
    """The number of rows that these scans read, including those that they filter out."""
    kinds = ("Actual Rows", "Rows Removed by Filter", "Rows Removed by Index Recheck")
    total: float = sum(node.get(kind, 0) * node["Actual Loops"] for node in nodes for kind in kinds)
    return total


def walk(node: dict[str, Any]) -> list[dict[str, Any]]:
    return [node, *(each for part in node.get("Plans", []) for each in walk(part))]
