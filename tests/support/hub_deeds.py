"""The hub of a company, and what there is to do in it: by name the command, its data, and who may."""

from typing import Any

from daybook_contracts.entries.facts import (
    AlertRaised,
    ConnectionCreated,
    DlqEventRecorded,
    SecretRefCreated,
    SyncStarted,
)
from daybook_contracts.entries.fields import Fact, free_json
from support.company import ADMINS, APP, PROJECT_ADMINS, PROJECT_EDITORS, WEB
from support.given import alert, connection, dead_letter, secret_ref, sync_run

IDLE, BUSY, ELSEWHERE = (connection(number) for number in (1, 2, 3))
RUN, RUN_ELSEWHERE = sync_run(2), sync_run(3)
LETTER, LETTER_ELSEWHERE = dead_letter(1), dead_letter(3)
ALERT, ALERT_ELSEWHERE = alert(1), alert(3)
TOKEN = secret_ref(1)


def connected(connection_id: str, project_id: str) -> ConnectionCreated:
    return ConnectionCreated(
        connection_id=connection_id, project_id=project_id, type="sheets", name="S", config=free_json({})
    )


def recorded(dlq_event_id: str, connection_id: str) -> DlqEventRecorded:
    return DlqEventRecorded(dlq_event_id=dlq_event_id, connection_id=connection_id, payload=free_json(None))


def raised(alert_id: str, project_id: str) -> AlertRaised:
    return AlertRaised(alert_id=alert_id, project_id=project_id, severity="info", message="!")


HUB: tuple[Fact, ...] = (
    connected(IDLE, WEB),
    connected(BUSY, WEB),
    connected(ELSEWHERE, APP),
    SyncStarted(sync_run_id=RUN, connection_id=BUSY),
    SyncStarted(sync_run_id=RUN_ELSEWHERE, connection_id=ELSEWHERE),
    recorded(LETTER, IDLE),
    recorded(LETTER_ELSEWHERE, ELSEWHERE),
    raised(ALERT, WEB),
    raised(ALERT_ELSEWHERE, APP),
    SecretRefCreated(secret_ref_id=TOKEN, key_name="token", secret_id_ref="env:TOKEN"),
)
EDITORS_AND_SERVICES = PROJECT_EDITORS | {"service"}
ADMINS_AND_SERVICES = ADMINS | {"service"}
NEW_CONNECTION = {"type": "sheets", "name": "S", "config": {}}
NEW_ALERT = {"severity": "info", "message": "look"}

HUB_DEEDS: dict[str, tuple[str, dict[str, Any], set[str]]] = {
    "connect": ("CREATE_CONNECTION", {"project_id": WEB, **NEW_CONNECTION}, PROJECT_ADMINS),
    "connect another project": ("CREATE_CONNECTION", {"project_id": APP, **NEW_CONNECTION}, ADMINS),
    "rename a connection": ("UPDATE_CONNECTION", {"connection_id": IDLE, "name": "New"}, PROJECT_ADMINS),
    "give it the name it has": ("UPDATE_CONNECTION", {"connection_id": IDLE, "name": "S"}, PROJECT_ADMINS),
    "update elsewhere": ("UPDATE_CONNECTION", {"connection_id": ELSEWHERE, "config": {}}, ADMINS),
    "activate what is active": ("ACTIVATE_CONNECTION", {"connection_id": IDLE}, PROJECT_ADMINS),
    "deactivate": ("DEACTIVATE_CONNECTION", {"connection_id": IDLE}, PROJECT_ADMINS),
    "deactivate elsewhere": ("DEACTIVATE_CONNECTION", {"connection_id": ELSEWHERE}, ADMINS),
    "disconnect": ("DELETE_CONNECTION", {"connection_id": IDLE}, PROJECT_ADMINS),
    "start a sync": ("START_SYNC", {"connection_id": IDLE}, EDITORS_AND_SERVICES),
    "complete a sync": ("COMPLETE_SYNC", {"sync_run_id": RUN}, EDITORS_AND_SERVICES),
    "complete a sync elsewhere": ("COMPLETE_SYNC", {"sync_run_id": RUN_ELSEWHERE}, ADMINS_AND_SERVICES),
    "fail a sync": ("FAIL_SYNC", {"sync_run_id": RUN, "error_message": "no"}, EDITORS_AND_SERVICES),
    "cancel a sync": ("CANCEL_SYNC", {"sync_run_id": RUN}, EDITORS_AND_SERVICES),
    "keep a dead letter": ("RECORD_DLQ_EVENT", {"connection_id": IDLE, "payload": 1}, EDITORS_AND_SERVICES),
    "keep one elsewhere": ("RECORD_DLQ_EVENT", {"connection_id": ELSEWHERE, "payload": 1}, ADMINS_AND_SERVICES),
    "retry a dead letter": ("RETRY_DLQ_EVENT", {"dlq_event_id": LETTER}, EDITORS_AND_SERVICES),
    "retry one elsewhere": ("RETRY_DLQ_EVENT", {"dlq_event_id": LETTER_ELSEWHERE}, ADMINS_AND_SERVICES),
    "resolve a dead letter": (
        "RESOLVE_DLQ_EVENT",
        {"dlq_event_id": LETTER, "resolution": "manual"},
        EDITORS_AND_SERVICES,
    ),
    "retry many": ("RETRY_DLQ_EVENTS", {"connection_id": IDLE, "ids": [LETTER]}, EDITORS_AND_SERVICES),
    "resolve many": (
        "RESOLVE_DLQ_EVENTS",
        {"connection_id": IDLE, "filter": {}, "resolution": "discarded"},
        EDITORS_AND_SERVICES,
    ),
    "raise an alert": ("RAISE_ALERT", {"project_id": WEB, **NEW_ALERT}, EDITORS_AND_SERVICES),
    "raise an alert elsewhere": ("RAISE_ALERT", {"project_id": APP, **NEW_ALERT}, ADMINS_AND_SERVICES),
    "resolve an alert": ("RESOLVE_ALERT", {"alert_id": ALERT}, EDITORS_AND_SERVICES),
    "resolve an alert elsewhere": ("RESOLVE_ALERT", {"alert_id": ALERT_ELSEWHERE}, ADMINS_AND_SERVICES),
    "name a secret": ("CREATE_SECRET_REF", {"key_name": "key", "secret_id_ref": "env:KEY"}, ADMINS),
    "rotate a secret": ("ROTATE_SECRET_REF", {"secret_ref_id": TOKEN, "secret_id_ref": "env:KEY"}, ADMINS),
    "leave a secret where it is": ("ROTATE_SECRET_REF", {"secret_ref_id": TOKEN, "secret_id_ref": "env:TOKEN"}, ADMINS),
    "forget a secret": ("DELETE_SECRET_REF", {"secret_ref_id": TOKEN}, ADMINS),
}
