"""Runs docs/examples/sync_worker.py against a running system, and checks the rows that result."""

import asyncio
import json
import sys

import pytest

from daybook_infra.runtime.postgres.connections import Connection
from support.documents import ROOT
from support.driving import Tenant, created_id, send_accepted, send_and_project
from support.processes import System, environment
from support.publisher import Door

pytestmark = pytest.mark.timeout(180)

WORKER = ROOT / "docs" / "examples" / "sync_worker.py"
MAX_LINES = 35
SERVICE, DAYBOOK = "service:shop-worker", "service:daybook"
CONFIG = {
    "environment": "sandbox",
    "webhook_version": "2.0.0",
    "events": ["PURCHASE_APPROVED"],
    "secrets": {"hottok": "shop hottok"},
}
RUNS = """
SELECT status, error_message, finished_at > started_at FROM sync_runs WHERE connection_id = $1 ORDER BY started_at
"""
LETTERS = "SELECT status, retry_count, payload_json FROM dlq_events WHERE connection_id = $1"
ALERTS = """
SELECT severity, message FROM integration_alerts WHERE project_id = (
    SELECT project_id FROM source_connections WHERE id = $1
)
"""
# The entries after CREATE_CONNECTION.
ENTRIES = """
SELECT action, result, metadata_json->>'principal', metadata_json->'data'->>'rule' FROM audit_log
WHERE metadata_json->'data'->>'connection_id' = $1::text ORDER BY created_at OFFSET 1
"""


def test_the_worker_fits_on_a_page() -> None:
    assert len(WORKER.read_text("utf-8").splitlines()) <= MAX_LINES


async def test_the_worker_succeeds_at_the_second_attempt_and_its_rows_are_in_the_tables(
    shared: System, door: Door, database: Connection, tenant: Tenant
) -> None:
    connection_id = await create_hotmart_connection(door, database, tenant)
    assert await run_worker(shared, connection_id) == (0, "failed: the source hung up\nsuccess\n", "")
    runs = [tuple(run) for run in await database.fetch(RUNS, connection_id)]
    assert runs == [("failed", "the source hung up", True), ("success", None, True)]
    ((status, retry_count, payload),) = await database.fetch(LETTERS, connection_id)
    assert (status, retry_count, json.loads(payload)) == ("pending", 0, {"sku": None})
    alerts = [tuple(alert) for alert in await database.fetch(ALERTS, connection_id)]
    assert alerts == [("warning", "Dead letters of this connection are pending.")]
    assert [tuple(entry) for entry in await database.fetch(ENTRIES, connection_id)] == [
        ("START_SYNC", "success", SERVICE, None),
        ("RECORD_DLQ_EVENT", "success", SERVICE, None),
        ("RAISE_ALERT", "success", DAYBOOK, "dlq_backlog"),
        ("FAIL_SYNC", "success", SERVICE, None),
        ("RAISE_ALERT", "success", DAYBOOK, "sync_failing"),
        ("START_SYNC", "success", SERVICE, None),
        ("COMPLETE_SYNC", "success", SERVICE, None),
        ("RESOLVE_ALERT", "success", DAYBOOK, "sync_failing"),
    ]


async def test_the_worker_reports_a_rejection(shared: System, door: Door, database: Connection, tenant: Tenant) -> None:
    connection_id = await create_hotmart_connection(door, database, tenant)
    await send_accepted(door, tenant.by(tenant.owner, "DEACTIVATE_CONNECTION", connection_id=connection_id))
    exit_code, output, errors = await run_worker(shared, connection_id)
    last = errors.strip().splitlines()[-1].split(" ")
    assert (exit_code, output, last[0], last[2]) == (1, "", "START_SYNC", "CONNECTION_INACTIVE:")


async def create_hotmart_connection(door: Door, database: Connection, tenant: Tenant) -> str:
    """Creates a connection, and waits until it is projected, because the worker looks up its org in the tables. Returns
    its id.
    """
    reference = {"key_name": "shop hottok", "secret_id_ref": "vault:kv/shop/hotmart#hottok"}
    await send_accepted(door, tenant.by(tenant.owner, "CREATE_SECRET_REF", **reference))
    project = await send_accepted(door, tenant.by(tenant.owner, "CREATE_PROJECT", name="Shop"))
    data = {"project_id": created_id(project), "type": "hotmart", "name": "Shop", "config": CONFIG}
    return created_id(await send_and_project(door, database, tenant.by(tenant.owner, "CREATE_CONNECTION", **data)))


async def run_worker(system: System, connection_id: str) -> tuple[int | None, str, str]:
    """Runs the worker with Daybook's settings only; returns its exit code, stdout and stderr."""
    env = {name: value for name, value in environment(system.settings).items() if name.startswith("DAYBOOK_")}
    pipe = asyncio.subprocess.PIPE
    program = (sys.executable, str(WORKER), connection_id)
    running = await asyncio.create_subprocess_exec(*program, env=env, stdout=pipe, stderr=pipe)
    output, errors = await asyncio.wait_for(running.communicate(), 90)
    return running.returncode, output.decode(), errors.decode()
