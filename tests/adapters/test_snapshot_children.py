"""How a shard reads the runs, dead letters, alerts and activities of an org from a real PostgreSQL."""

from collections.abc import AsyncIterator
from hashlib import sha256
from uuid import uuid4

import pytest

from daybook_command.domain.activity import Activity
from daybook_command.domain.alerts import Alert
from daybook_command.domain.children import Children
from daybook_command.domain.connections import Connection
from daybook_command.domain.dead_letters import DeadLetter
from daybook_command.domain.references import RULES, ChildKind
from daybook_command.domain.secret_refs import SecretRef
from daybook_command.domain.syncs import Run
from daybook_command.postgres.snapshot_reader import SnapshotReader
from daybook_command.shard.snapshot import Needs, OrgNeeds
from daybook_contracts.entries.identity import policy_alert_id
from daybook_contracts.json.canonical import canonical_bytes
from daybook_infra.runtime.postgres.connections import Pool, close_pool, open_pool
from daybook_infra.runtime.settings import Settings
from support.lookups import look_up, look_up_children, refs
from support.planted_rows import ids, put_alert, put_connection, put_dead_letters, put_org, put_runs
from support.stack import FreshSettings

NO_CONFIG = sha256(b"{}").digest()


@pytest.fixture(scope="module")
def settings(lasting_settings: FreshSettings) -> Settings:
    """Shared: each test creates its own orgs."""
    return lasting_settings()


@pytest.fixture
async def pool(settings: Settings) -> AsyncIterator[Pool]:
    pool = await open_pool(settings, "test")
    yield pool
    await close_pool(pool)


@pytest.mark.parametrize(
    ("config", "key_names"),
    [
        ('{"secrets": null}', set()),
        ('{"secrets": ["x"]}', set()),
        ('{"secrets": "x"}', set()),
        ('{"secrets": {"a": {"b": "x"}, "c": ["x"], "d": 1, "e": null, "f": "y"}}', {"y"}),
        ("[]", set()),
    ],
)
async def test_malformed_secrets_in_an_old_row_are_ignored(pool: Pool, config: str, key_names: set[str]) -> None:
    org_id, project_id = await put_org(pool)
    connection_id = await put_connection(pool, org_id, project_id, config)
    org = (await look_up(pool, OrgNeeds(org_id)))[0].org
    assert org is not None
    assert org.connections[connection_id].key_names == key_names


async def test_an_org_is_loaded_with_its_connections_and_secret_references(pool: Pool) -> None:
    org_id, project_id = await put_org(pool)
    config = '{"secrets": {"hottok": "hotmart", "client_secret": "Größe"}, "environment": "sandbox"}'
    named, bare = await put_connection(pool, org_id, project_id, config), await put_connection(pool, org_id, project_id)
    reference, secret = str(uuid4()), "env:TÖKEN"
    await pool.execute("INSERT INTO secret_refs VALUES ($1, $2, 'hotmart', $3)", reference, org_id, secret)
    org = (await look_up(pool, OrgNeeds(org_id)))[0].org
    assert org is not None
    assert dict(org.connections) == {
        named: Connection(project_id, "hotmart", "Shop", active=True, key_names=frozenset({"hotmart", "Größe"})),
        bare: Connection(project_id, "hotmart", "Shop", active=True, key_names=frozenset()),
    }
    assert dict(org.secret_refs) == {reference: SecretRef("hotmart", sha256(secret.encode()).digest())}
    assert dict(org.key_names) == {"hotmart": reference}


async def test_children_are_loaded_by_id_and_only_for_their_own_org(pool: Pool) -> None:
    org_id, project_id = await put_org(pool)
    other_id, _ = await put_org(pool)
    connection_id = await put_connection(pool, org_id, project_id)
    [run] = await put_runs(pool, connection_id, ["failed"])
    letter, resolved = ids(2, start=100)
    await put_dead_letters(pool, connection_id, [letter], retry_count=2)
    await put_dead_letters(pool, connection_id, [resolved], status="resolved")
    alert = await put_alert(pool, project_id, str(uuid4()), "info")
    named = (
        refs(ChildKind.RUN, [run]) | refs(ChildKind.DEAD_LETTER, [letter, resolved]) | refs(ChildKind.ALERT, [alert])
    )
    requested = named | refs(ChildKind.CONNECTION, [connection_id])
    mine, theirs = await look_up(pool, OrgNeeds(org_id, 0, requested), OrgNeeds(other_id, 0, requested))
    assert theirs.children == Children()
    assert mine.org is None
    assert mine.children.runs == {run: Run(connection_id, "failed")}
    assert mine.children.dead_letters == {
        letter: DeadLetter(connection_id, pending=True, retry_count=2),
        resolved: DeadLetter(connection_id, pending=False, retry_count=0),
    }
    assert mine.children.alerts == {alert: Alert(project_id, "info")}
    assert mine.children.activities == {connection_id: Activity(NO_CONFIG, failures=1, pending=1)}


@pytest.mark.parametrize("kind", [ChildKind.RUN, ChildKind.DEAD_LETTER])
async def test_a_child_is_loaded_with_activity_and_policy_alerts(pool: Pool, kind: ChildKind) -> None:
    org_id, project_id = await put_org(pool)
    connection_id = await put_connection(pool, org_id, project_id)
    [run] = await put_runs(pool, connection_id, ["running"])
    [letter] = ids(1, start=200 if kind is ChildKind.RUN else 201)
    await put_dead_letters(pool, connection_id, [letter])
    alerts = [await put_alert(pool, project_id, policy_alert_id(connection_id, rule)) for rule in RULES]
    await put_alert(pool, project_id, str(uuid4()))
    named = refs(kind, [run if kind is ChildKind.RUN else letter])
    found = await look_up_children(pool, OrgNeeds(org_id, 0, named))
    assert found.activities == {connection_id: Activity(NO_CONFIG, running=run, pending=1)}
    assert found.alerts == dict.fromkeys(alerts, Alert(project_id, "warning"))
    known = await look_up_children(pool, OrgNeeds(org_id, 0, named, known=frozenset({connection_id})))
    assert (known.activities, known.alerts) == ({}, found.alerts)


async def test_touched_children_are_read_only_with_the_org(pool: Pool) -> None:
    org_id, project_id = await put_org(pool)
    connection_id = await put_connection(pool, org_id, project_id)
    [run] = await put_runs(pool, connection_id, ["success"])
    touched, known = refs(ChildKind.RUN, [run]), frozenset({connection_id})
    cached, uncached = OrgNeeds(org_id, 0, touched=touched, known=known), OrgNeeds(org_id, touched=touched, known=known)
    assert await look_up_children(pool, cached) == Children()
    found = await look_up_children(pool, uncached)
    assert (found.runs, set(found.activities)) == ({run: Run(connection_id, "success")}, {connection_id})


async def test_the_digest_of_a_config_covers_its_canonical_form(pool: Pool) -> None:
    config = {"ids": [1e21, 5, 0.1, 2.0**53], "größe": {"b": None, "a": "\u2028"}}
    org_id, project_id = await put_org(pool)
    connection_id = await put_connection(pool, org_id, project_id, canonical_bytes(config).decode())
    found = await look_up_children(pool, OrgNeeds(org_id, 0, refs(ChildKind.CONNECTION, [connection_id])))
    assert found.activities[connection_id].config == sha256(canonical_bytes(config)).digest()


@pytest.mark.parametrize(
    ("statuses", "failures"),
    [
        ([], 0),
        (["cancelled"], 0),
        (["failed", "success"], 0),
        (["success", "failed", "cancelled", "failed", "running"], 2),
        (["failed", "success", "cancelled", "failed", "cancelled"], 1),
        (["success", "failed", "failed", "cancelled", "failed"], 3),
        (["failed"] * 5, 3),
    ],
)
async def test_failures_are_counted_back_to_the_last_success(pool: Pool, statuses: list[str], failures: int) -> None:
    org_id, project_id = await put_org(pool)
    connection_id = await put_connection(pool, org_id, project_id)
    runs = await put_runs(pool, connection_id, statuses)
    running = runs[-1] if statuses[-1:] == ["running"] else None
    found = await look_up_children(pool, OrgNeeds(org_id, 0, refs(ChildKind.CONNECTION, [connection_id])))
    assert found.activities == {connection_id: Activity(NO_CONFIG, running=running, failures=failures)}


@pytest.mark.parametrize(
    "table", ["source_connections", "sync_runs", "dlq_events", "integration_alerts", "secret_refs"]
)
async def test_a_chosen_id_held_by_another_org_is_taken(pool: Pool, table: str) -> None:
    org_id, project_id = await put_org(pool)
    connection_id = await put_connection(pool, org_id, project_id)
    [run] = await put_runs(pool, connection_id, ["success"])
    letter, alert, reference = str(uuid4()), await put_alert(pool, project_id, str(uuid4())), str(uuid4())
    await put_dead_letters(pool, connection_id, [letter])
    await pool.execute("INSERT INTO secret_refs VALUES ($1, $2, 'x', 'env:X')", reference, org_id)
    id_in = {
        "source_connections": connection_id,
        "sync_runs": run,
        "dlq_events": letter,
        "integration_alerts": alert,
        "secret_refs": reference,
    }
    reader = SnapshotReader(pool)
    other_id, free = str(uuid4()), str(uuid4())
    needs = ((table, id_in[table], other_id), (table, id_in[table], org_id), (table, free, org_id))
    await pool.execute("INSERT INTO daybook.reserved_ids (id, org_id) VALUES ($1, $2)", id_in[table], org_id)
    for asking in (needs, needs[::-1]):
        found = await reader.read({3: Needs(chosen_ids=asking)})
        assert found[3].taken_ids == {(other_id, id_in[table])}
