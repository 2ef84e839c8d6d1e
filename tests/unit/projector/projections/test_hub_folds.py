"""Each fold of the integration hub turns an entry into exactly the expected row changes."""

import pytest
from msgspec import Raw

from daybook_contracts.entries import facts
from daybook_contracts.entries.fields import Fact, free_json
from daybook_contracts.entries.reading import read_entry
from daybook_projector.projections.changes import Change, Delete, Insert, Row, Update
from daybook_projector.projections.connection_activity import CONNECTION_ACTIVITY
from daybook_projector.projections.dlq_events import DLQ_EVENTS
from daybook_projector.projections.fold import fold, folds
from daybook_projector.projections.integration_alerts import INTEGRATION_ALERTS
from daybook_projector.projections.secret_refs import SECRET_REFS
from daybook_projector.projections.source_connections import SOURCE_CONNECTIONS
from daybook_projector.projections.sync_runs import SYNC_RUNS
from support.logbook import Logbook, org, project, thing, user

ORG, ANN, SITE, LINK, RUN, LETTER, OTHER = org(1), user(1), project(1), thing(1), thing(2), thing(3), thing(4)
AT = "2026-09-21T14:13:20.000000Z"


def folded(fact: Fact) -> list[Change]:
    """The row changes of a successful entry that is the first of its log, without those of the connection's activity
    (test_connection_activity.py).
    """
    log = Logbook()
    log.add(ORG, ANN, fact)
    changes = fold(folds(managed_users=True), read_entry(log.records[0][0] or b"").entry, fact)
    return [change for change in changes if change.table is not CONNECTION_ACTIVITY]


def test_a_new_connection_is_active_and_its_config_unchanged() -> None:
    config = free_json({"b": 1, "a": ["\u00fc", None, 1.5]})
    fact = facts.ConnectionCreated(config=config, connection_id=LINK, name="Shop", project_id=SITE, type="hotmart")
    row: Row = {
        "id": LINK,
        "org_id": ORG,
        "project_id": SITE,
        "type": "hotmart",
        "name": "Shop",
        "config_json": '{"a":["\u00fc",null,1.5],"b":1}',
        "is_active": True,
    }
    assert folded(fact) == [Insert(SOURCE_CONNECTIONS, row)]


def test_an_updated_connection_changes_only_the_given_columns() -> None:
    config = free_json({})
    (change,) = folded(facts.ConnectionUpdated(connection_id=LINK, name="b"))
    assert change == Update(SOURCE_CONNECTIONS, (LINK,), {"name": "b"})
    (change,) = folded(facts.ConnectionUpdated(connection_id=LINK, config=config))
    assert change == Update(SOURCE_CONNECTIONS, (LINK,), {"config_json": "{}"})
    (change,) = folded(facts.ConnectionUpdated(connection_id=LINK, name="b", config=config))
    assert change == Update(SOURCE_CONNECTIONS, (LINK,), {"name": "b", "config_json": "{}"})
    assert folded(facts.ConnectionUpdated(connection_id=LINK)) == []


def test_a_connection_is_activated_and_deactivated() -> None:
    (change,) = folded(facts.ConnectionActivated(connection_id=LINK))
    assert change == Update(SOURCE_CONNECTIONS, (LINK,), {"is_active": True})
    (change,) = folded(facts.ConnectionDeactivated(connection_id=LINK, reason="rest"))
    assert change == Update(SOURCE_CONNECTIONS, (LINK,), {"is_active": False})


def test_deleting_a_connection_deletes_only_its_own_row() -> None:
    assert folded(facts.ConnectionDeleted(connection_id=LINK)) == [Delete(SOURCE_CONNECTIONS, (LINK,))]


def test_a_run_starts_at_the_time_of_its_entry() -> None:
    row: Row = {
        "id": RUN,
        "connection_id": LINK,
        "status": "running",
        "started_at": AT,
        "finished_at": None,
        "error_message": None,
    }
    assert folded(facts.SyncStarted(connection_id=LINK, sync_run_id=RUN)) == [Insert(SYNC_RUNS, row)]


@pytest.mark.parametrize(
    ("fact", "values"),
    [
        (facts.SyncCompleted(connection_id=LINK, sync_run_id=RUN, stats=free_json({"rows": 3})), {"status": "success"}),
        (
            facts.SyncFailed(connection_id=LINK, sync_run_id=RUN, error_message="no"),
            {"status": "failed", "error_message": "no"},
        ),
        (facts.SyncCancelled(connection_id=LINK, sync_run_id=RUN, reason="late"), {"status": "cancelled"}),
    ],
)
def test_a_run_ends_at_its_entry_and_only_a_failed_run_has_a_message(fact: Fact, values: dict[str, str]) -> None:
    assert folded(fact) == [Update(SYNC_RUNS, (RUN,), {**values, "finished_at": AT})]


@pytest.mark.parametrize("payload", [b'{"a":1}', b"null", b'"text"', b"[]", b"0"])
def test_a_new_dead_letter_is_pending_with_retry_count_0(payload: bytes) -> None:
    fact = facts.DlqEventRecorded(connection_id=LINK, dlq_event_id=LETTER, payload=Raw(payload), error="no")
    row: Row = {
        "id": LETTER,
        "connection_id": LINK,
        "payload_json": payload.decode(),
        "status": "pending",
        "retry_count": 0,
    }
    assert folded(fact) == [Insert(DLQ_EVENTS, row)]


def test_a_retried_dead_letter_has_the_count_of_its_entry() -> None:
    fact = facts.DlqEventRetried(connection_id=LINK, dlq_event_id=LETTER, retry_count=7)
    assert folded(fact) == [Update(DLQ_EVENTS, (LETTER,), {"retry_count": 7})]


def test_a_resolved_dead_letter_is_kept() -> None:
    fact = facts.DlqEventResolved(connection_id=LINK, dlq_event_id=LETTER, resolution="manual")
    assert folded(fact) == [Update(DLQ_EVENTS, (LETTER,), {"status": "resolved"})]


def test_a_bulk_entry_retries_or_resolves_each_dead_letter() -> None:
    assert folded(facts.DlqEventsRetried(connection_id=LINK, ids=(LETTER, OTHER))) == [
        Update(DLQ_EVENTS, (LETTER,), {}, added={"retry_count": 1}),
        Update(DLQ_EVENTS, (OTHER,), {}, added={"retry_count": 1}),
    ]
    assert folded(facts.DlqEventsResolved(connection_id=LINK, ids=(LETTER, OTHER), resolution="discarded")) == [
        Update(DLQ_EVENTS, (LETTER,), {"status": "resolved"}),
        Update(DLQ_EVENTS, (OTHER,), {"status": "resolved"}),
    ]


def test_an_alert_is_inserted_escalated_and_deleted() -> None:
    raised = facts.AlertRaised(alert_id=OTHER, project_id=SITE, severity="warning", message="a")
    assert folded(raised) == [
        Insert(INTEGRATION_ALERTS, {"id": OTHER, "project_id": SITE, "severity": "warning", "message": "a"})
    ]
    escalated = facts.AlertEscalated(
        alert_id=OTHER, connection_id=LINK, rule="sync_failing", severity="critical", message="b"
    )
    assert folded(escalated) == [Update(INTEGRATION_ALERTS, (OTHER,), {"severity": "critical", "message": "b"})]
    assert folded(facts.AlertResolved(alert_id=OTHER)) == [Delete(INTEGRATION_ALERTS, (OTHER,))]


def test_a_secret_reference_is_inserted_rotated_and_deleted() -> None:
    created = facts.SecretRefCreated(secret_ref_id=OTHER, key_name="hottok", secret_id_ref="env:A")
    (change,) = folded(created)
    assert change == Insert(SECRET_REFS, {"id": OTHER, "org_id": ORG, "key_name": "hottok", "secret_id_ref": "env:A"})
    (change,) = folded(facts.SecretRefRotated(secret_ref_id=OTHER, secret_id_ref="env:B"))
    assert change == Update(SECRET_REFS, (OTHER,), {"secret_id_ref": "env:B"})
    assert folded(facts.SecretRefDeleted(secret_ref_id=OTHER)) == [Delete(SECRET_REFS, (OTHER,))]


@pytest.mark.parametrize(
    "fact",
    [
        facts.ConnectionUpdated(connection_id=LINK, name="a", changed=False),
        facts.ConnectionActivated(connection_id=LINK, changed=False),
        facts.ConnectionDeactivated(connection_id=LINK, changed=False),
        facts.DlqEventsRetried(connection_id=LINK, ids=(), changed=False),
        facts.DlqEventsResolved(connection_id=LINK, ids=(), resolution="manual", changed=False),
        facts.SecretRefRotated(secret_ref_id=OTHER, secret_id_ref="env:A", changed=False),
    ],
)
def test_a_hub_entry_without_a_change_changes_no_row(fact: Fact) -> None:
    assert folded(fact) == []
