"""The columns of the hub's entries. They name the project of an existing thing, except in strangers' failures."""

import json
from typing import Any

import pytest

from daybook_command.domain.decision import NewEntry
from daybook_contracts.codes import Code
from daybook_contracts.entries.identity import Identity
from support.creations import CREATIONS
from support.given import CAT, EVE, ORG, Given, Outcome, command, dead_letter, given, sync_run, thing_id_of
from support.hub_scene import APP, BLOG, HUB, SHOP, WEB, alert_raised, letter_recorded, sync_completed, sync_started

ACME = given(
    *HUB, sync_started(1), letter_recorded(1), alert_raised("sync_stalled", "critical"), sync_started(2, of=BLOG)
)


def columns(entry: NewEntry) -> tuple[str | None, ...]:
    return entry.entity_type, entry.entity_id, entry.org_id, entry.project_id, entry.actor_user_id


def only(outcome: Outcome) -> NewEntry:
    (entry,) = outcome.entries()
    return entry


ON_SHOP = {"connection_id": SHOP}
RUN_1, LETTER_1 = sync_run(1), dead_letter(1)
ALERT_1 = alert_raised("sync_stalled", "critical").alert_id
ATTEMPTS: dict[str, tuple[dict[str, Any], str, str | None, str | None]] = {
    "CREATE_CONNECTION": (CREATIONS["CREATE_CONNECTION"], "source_connection", None, WEB),
    "UPDATE_CONNECTION": ({**ON_SHOP, "name": "New"}, "source_connection", SHOP, WEB),
    "ACTIVATE_CONNECTION": (ON_SHOP, "source_connection", SHOP, WEB),
    "DEACTIVATE_CONNECTION": (ON_SHOP, "source_connection", SHOP, WEB),
    "DELETE_CONNECTION": (ON_SHOP, "source_connection", SHOP, WEB),
    "START_SYNC": (ON_SHOP, "sync_run", None, WEB),
    "COMPLETE_SYNC": ({"sync_run_id": RUN_1}, "sync_run", RUN_1, WEB),
    "FAIL_SYNC": ({"sync_run_id": RUN_1, "error_message": "no"}, "sync_run", RUN_1, WEB),
    "CANCEL_SYNC": ({"sync_run_id": RUN_1}, "sync_run", RUN_1, WEB),
    "RECORD_DLQ_EVENT": ({**ON_SHOP, "payload": 1}, "dlq_event", None, WEB),
    "RETRY_DLQ_EVENT": ({"dlq_event_id": LETTER_1}, "dlq_event", LETTER_1, WEB),
    "RESOLVE_DLQ_EVENT": ({"dlq_event_id": LETTER_1, "resolution": "manual"}, "dlq_event", LETTER_1, WEB),
    "RETRY_DLQ_EVENTS": ({**ON_SHOP, "filter": {}}, "source_connection", SHOP, WEB),
    "RESOLVE_DLQ_EVENTS": ({**ON_SHOP, "ids": [LETTER_1], "resolution": "manual"}, "source_connection", SHOP, WEB),
    "RAISE_ALERT": ({"project_id": WEB, "severity": "info", "message": "!"}, "integration_alert", None, WEB),
    "RESOLVE_ALERT": ({"alert_id": ALERT_1}, "integration_alert", ALERT_1, WEB),
    "CREATE_SECRET_REF": ({"key_name": "key", "secret_id_ref": "env:KEY"}, "secret_ref", None, None),
}
"""Commands that CAT and strangers may not send: data, entity type, entity id (None: the id of the thing to create),
project.
"""


@pytest.mark.parametrize("type_", ATTEMPTS)
def test_a_members_failure_on_an_existing_thing_names_its_project(type_: str) -> None:
    data, entity_type, entity_id, project_id = ATTEMPTS[type_]
    tried = command(type_, CAT, **data)
    entry = only(ACME.when(tried).then_rejected(Code.FORBIDDEN))
    assert columns(entry) == (entity_type, entity_id or thing_id_of(tried), ORG, project_id, CAT)


@pytest.mark.parametrize("type_", ATTEMPTS)
@pytest.mark.parametrize("org", [ACME, given()], ids=["org", "no org"])
def test_a_strangers_failure_names_only_its_target(type_: str, org: Given) -> None:
    data, entity_type, entity_id, _ = ATTEMPTS[type_]
    tried = command(type_, EVE, **data)
    entry = only(org.when(tried).then_rejected(Code.ORG_NOT_FOUND))
    own_id = Identity("outsider", ORG, EVE, tried.id).first_id()
    org_id = ORG if org is ACME else None
    assert columns(entry) == (entity_type, entity_id or own_id, org_id, None, EVE)
    assert json.loads(entry.data) == ({} if org is ACME else {"org_id": ORG})


def test_an_alert_resolved_by_a_policy_names_the_project_of_its_connection() -> None:
    own, by_policy = ACME.when(command("COMPLETE_SYNC", sync_run_id=RUN_1)).entries()
    assert (own.action, by_policy.action) == ("COMPLETE_SYNC", "RESOLVE_ALERT")
    assert columns(by_policy) == ("integration_alert", ALERT_1, ORG, WEB, None)


def test_an_entry_names_the_project_of_its_own_connection() -> None:
    entry = only(ACME.when(command("COMPLETE_SYNC", sync_run_id=sync_run(2))).then(sync_completed(2, of=BLOG)))
    assert entry.project_id == APP
