"""What random histories say in each command: of every field the values that it may have."""

from dataclasses import dataclass

from support.given import ANN, BOB, CAT, DAN, NOBODY, connection, dead_letter, project, secret_ref, sync_run

PEOPLE = (ANN, BOB, CAT, DAN, NOBODY)
ROLES, PROJECT_ROLES = ("owner", "admin", "member", "viewer"), ("admin", "editor", "viewer")
NAMES = ("a", "b", "\u00fc")


@dataclass(frozen=True)
class Nth:
    """One of those things that the org has when the command is sent, or one that it has not."""

    number: int


NTH = (Nth(0), Nth(1), Nth(2))
CHOSEN = (None, None, None)
"""Mostly nobody chooses an id."""
CONFIGS: tuple[dict[str, object], ...] = (
    {},
    {"rows": 1},
    {"rows": 1.0, "secrets": {"key": "a"}},
    {"secrets": {"key": "b", "other": "a"}},
)
RESOLUTIONS = ("manual", "replayed")
IDS = ((Nth(0),), (Nth(0), Nth(1)), (Nth(1), Nth(2), Nth(1)))
DATA: dict[str, dict[str, tuple[object, ...]]] = {
    "REGISTER_USER": {"user_id": PEOPLE},
    "CREATE_ORG": {"name": NAMES},
    "RENAME_ORG": {"name": NAMES},
    "ADD_MEMBER": {"user_id": PEOPLE, "role": ROLES},
    "UPDATE_MEMBER": {"user_id": PEOPLE, "role": ROLES},
    "REMOVE_MEMBER": {"user_id": PEOPLE},
    "CREATE_PROJECT": {"name": NAMES, "project_id": (None, None, project(1), project(2))},
    "RENAME_PROJECT": {"project_id": NTH, "name": NAMES},
    "ADD_PROJECT_MEMBER": {"project_id": NTH, "user_id": PEOPLE, "role": PROJECT_ROLES},
    "UPDATE_PROJECT_MEMBER": {"project_id": NTH, "user_id": PEOPLE, "role": PROJECT_ROLES},
    "REMOVE_PROJECT_MEMBER": {"project_id": NTH, "user_id": PEOPLE},
    "CREATE_CONNECTION": {
        "project_id": NTH,
        "connection_id": (*CHOSEN, connection(1), connection(2)),
        "type": ("sheets", "sheets", "hotmart"),
        "name": NAMES,
        "config": CONFIGS,
    },
    "UPDATE_CONNECTION": {"connection_id": NTH, "name": NAMES, "config": (None, *CONFIGS)},
    "ACTIVATE_CONNECTION": {"connection_id": NTH},
    "DEACTIVATE_CONNECTION": {"connection_id": NTH, "reason": (None, "why not")},
    "DELETE_CONNECTION": {"connection_id": NTH},
    "START_SYNC": {"connection_id": NTH, "sync_run_id": (*CHOSEN, sync_run(1), sync_run(2))},
    "COMPLETE_SYNC": {"sync_run_id": NTH, "stats": (None, {"rows": 1})},
    "FAIL_SYNC": {"sync_run_id": NTH, "error_message": ("down",)},
    "CANCEL_SYNC": {"sync_run_id": NTH},
    "RECORD_DLQ_EVENT": {
        "connection_id": NTH,
        "dlq_event_id": (*CHOSEN, dead_letter(1), dead_letter(2)),
        "payload": (None, {"n": 1}),
    },
    "RETRY_DLQ_EVENT": {"dlq_event_id": NTH},
    "RESOLVE_DLQ_EVENT": {"dlq_event_id": NTH, "resolution": RESOLUTIONS},
    "RETRY_DLQ_EVENTS": {"connection_id": NTH, "filter": ({}, {"max_retry_count": 1})},
    "RESOLVE_DLQ_EVENTS": {"connection_id": NTH, "ids": IDS, "resolution": RESOLUTIONS},
    "RAISE_ALERT": {
        "project_id": NTH,
        "connection_id": (None, *NTH),
        "severity": ("info", "critical"),
        "message": ("!",),
    },
    "RESOLVE_ALERT": {"alert_id": NTH},
    "CREATE_SECRET_REF": {
        "secret_ref_id": (*CHOSEN, secret_ref(1), secret_ref(2)),
        "key_name": NAMES,
        "secret_id_ref": ("env:A", "env:B"),
    },
    "ROTATE_SECRET_REF": {"secret_ref_id": NTH, "secret_id_ref": ("env:A", "env:B")},
    "DELETE_SECRET_REF": {"secret_ref_id": NTH},
}
