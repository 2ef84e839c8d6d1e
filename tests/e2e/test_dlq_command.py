"""`daybook dlq` on a running system, with more dead letters than one command may change."""

import asyncio

import pytest
import pytest_asyncio

from daybook_infra.runtime.postgres.connections import Connection
from suites.bulk import PENDING, Bulk, BulkContract
from support.driving import Tenant, fresh_id, new_tenant, post_batch, until_projected
from support.processes import DAYBOOK, System, environment
from support.publisher import Door, Publisher, Send

pytestmark = pytest.mark.timeout(180)
SERVICE = "service:source"
COUNTS = "SELECT status, retry_count, count(*) FROM dlq_events WHERE connection_id = $1 GROUP BY 1, 2 ORDER BY 1, 2"
BULK_ENTRIES = """
SELECT metadata_json->>'principal', actor_user_id, jsonb_array_length(metadata_json->'data'->'ids'),
    (metadata_json->'data'->>'remaining')::integer
FROM audit_log WHERE org_id = $1 AND action = $2 AND result = 'success' ORDER BY created_at
"""


@pytest_asyncio.fixture
async def tenant(door: Door, database: Connection) -> Tenant:
    return await new_tenant(door, database, connections=1)


async def test_all_dead_letters_are_retried_and_then_resolved(
    shared: System, door: Door, database: Connection, tenant: Tenant
) -> None:
    (connection_id,) = tenant.connections
    await record(door, database, tenant, connection_id)
    bulk = ("--connection", connection_id, "--principal", "service:ops")
    assert await dlq(shared, "retry", *bulk, "--dry-run") == f"{PENDING} pending dead letters match; nothing was sent"
    assert await dlq(shared, "retry", *bulk) == f"{PENDING} retries done"
    assert await dlq(shared, "retry", *bulk) == f"connection {connection_id} has no pending dead letter that matches"
    assert await counts(database, connection_id) == [("pending", 1, PENDING)]
    assert await dlq(shared, "resolve", *bulk, "--resolution", "discarded") == f"{PENDING} dead letters resolved"
    assert await counts(database, connection_id) == [("resolved", 1, PENDING)]
    for action in ("RETRY_DLQ_EVENTS", "RESOLVE_DLQ_EVENTS"):
        entries = [tuple(row) for row in await database.fetch(BULK_ENTRIES, tenant.org_id, action)]
        assert entries == [("service:ops", None, ids, left) for ids, left in ((1000, 1500), (1000, 500), (500, 0))]


class TestServices(BulkContract):
    @pytest_asyncio.fixture
    async def bulk(self, publisher: Publisher, door: Door, database: Connection, tenant: Tenant) -> Bulk:
        (connection_id,) = tenant.connections
        await record(door, database, tenant, connection_id)
        return Bulk(publisher, database, tenant.org_id, connection_id)


async def test_alerts_and_connections_show_the_pending_dead_letters(
    shared: System, door: Door, database: Connection, tenant: Tenant
) -> None:
    (connection_id,) = tenant.connections
    await record(door, database, tenant, connection_id, count=150)
    alerts, connections = await asyncio.gather(
        daybook(shared, "alerts", "--connection", connection_id),
        daybook(shared, "connections", "--connection", connection_id),
    )
    (alert,) = (line.split() for line in alerts.splitlines() if "dlq_backlog" in line)
    assert alert[:4:2] == ["critical", connection_id]
    assert "150" in connections.split()
    bulk = ("--connection", connection_id, "--resolution", "manual")
    assert await dlq(shared, "resolve", *bulk) == "150 dead letters resolved"
    assert await daybook(shared, "alerts", "--connection", connection_id) == "no open alert\n"


async def record(door: Door, database: Connection, tenant: Tenant, connection_id: str, count: int = PENDING) -> None:
    """Records `count` dead letters and waits until they are in the tables."""
    data = {"connection_id": connection_id, "payload": {"event": "x"}}
    sends = [
        Send(SERVICE, {"id": fresh_id(), "type": "RECORD_DLQ_EVENT", "org_id": tenant.org_id, "data": data})
        for _ in range(count)
    ]
    for start in range(0, count, 500):
        items = await post_batch(door, sends[start : start + 500], SERVICE)
        assert {item["status"] for item in items} == {200}, items
    await until_projected(database, [items[-1]["position"]])


async def counts(database: Connection, connection_id: str) -> list[tuple[str, int, int]]:
    return [tuple(row) for row in await database.fetch(COUNTS, connection_id)]


async def dlq(system: System, *arguments: str) -> str:
    return (await daybook(system, "dlq", *arguments)).removesuffix("\n")


async def daybook(system: System, *arguments: str) -> str:
    """Runs the command line, which must print nothing on stderr; returns its output."""
    pipe, program = asyncio.subprocess.PIPE, (str(DAYBOOK), *arguments)
    env = environment(system.settings)
    running = await asyncio.create_subprocess_exec(*program, env=env, stdout=pipe, stderr=pipe)
    output, errors = await asyncio.wait_for(running.communicate(), 90)
    assert (running.returncode, errors.decode()) == (0, "")
    return output.decode()
