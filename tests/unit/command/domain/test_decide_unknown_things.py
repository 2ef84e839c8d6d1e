"""Commands that name a thing which is not in their org: this is reported before rights, and the failure names it."""

import json
from typing import Any

import pytest

from daybook_contracts.codes import Code
from support.given import (
    ANN,
    CAT,
    NOBODY,
    alert,
    command,
    connection,
    dead_letter,
    given,
    made_by,
    project,
    secret_ref,
    sync_run,
)
from support.hub_scene import HUB
from support.world import NOUNS

ACME = given(*HUB)
PROJECT, CONNECTION = {"project_id": project(9)}, {"connection_id": connection(9)}
RUN, LETTER = {"sync_run_id": sync_run(9)}, {"dlq_event_id": dead_letter(9)}
ALERT, SECRET_REF = {"alert_id": alert(9)}, {"secret_ref_id": secret_ref(9)}
UNKNOWN: list[tuple[str, dict[str, str], dict[str, Any], Code]] = [
    ("RENAME_PROJECT", PROJECT, {"name": "New"}, Code.PROJECT_NOT_FOUND),
    ("ADD_PROJECT_MEMBER", PROJECT, {"user_id": NOBODY, "role": "viewer"}, Code.PROJECT_NOT_FOUND),
    ("UPDATE_PROJECT_MEMBER", PROJECT, {"user_id": NOBODY, "role": "viewer"}, Code.PROJECT_NOT_FOUND),
    ("REMOVE_PROJECT_MEMBER", PROJECT, {"user_id": NOBODY}, Code.PROJECT_NOT_FOUND),
    ("CREATE_CONNECTION", PROJECT, {"type": "hotmart", "name": "S", "config": {}}, Code.PROJECT_NOT_FOUND),
    ("RAISE_ALERT", PROJECT, {"severity": "info", "message": "!"}, Code.PROJECT_NOT_FOUND),
    ("UPDATE_CONNECTION", CONNECTION, {"name": "New"}, Code.CONNECTION_NOT_FOUND),
    ("ACTIVATE_CONNECTION", CONNECTION, {}, Code.CONNECTION_NOT_FOUND),
    ("DEACTIVATE_CONNECTION", CONNECTION, {}, Code.CONNECTION_NOT_FOUND),
    ("DELETE_CONNECTION", CONNECTION, {}, Code.CONNECTION_NOT_FOUND),
    ("START_SYNC", CONNECTION, {}, Code.CONNECTION_NOT_FOUND),
    ("RECORD_DLQ_EVENT", CONNECTION, {"payload": 1}, Code.CONNECTION_NOT_FOUND),
    ("RETRY_DLQ_EVENTS", CONNECTION, {"filter": {}}, Code.CONNECTION_NOT_FOUND),
    ("RESOLVE_DLQ_EVENTS", CONNECTION, {"ids": [dead_letter(9)], "resolution": "manual"}, Code.CONNECTION_NOT_FOUND),
    ("COMPLETE_SYNC", RUN, {}, Code.SYNC_RUN_NOT_FOUND),
    ("FAIL_SYNC", RUN, {"error_message": "down"}, Code.SYNC_RUN_NOT_FOUND),
    ("CANCEL_SYNC", RUN, {}, Code.SYNC_RUN_NOT_FOUND),
    ("RETRY_DLQ_EVENT", LETTER, {}, Code.DLQ_EVENT_NOT_FOUND),
    ("RESOLVE_DLQ_EVENT", LETTER, {"resolution": "manual"}, Code.DLQ_EVENT_NOT_FOUND),
    ("RESOLVE_ALERT", ALERT, {}, Code.ALERT_NOT_FOUND),
    ("ROTATE_SECRET_REF", SECRET_REF, {"secret_id_ref": "env:TOKEN"}, Code.SECRET_REF_NOT_FOUND),
    ("DELETE_SECRET_REF", SECRET_REF, {}, Code.SECRET_REF_NOT_FOUND),
]
"""The type of each command, the unknown thing, the rest of its data, and the expected code."""


@pytest.mark.parametrize(("type_", "thing", "more", "code"), UNKNOWN)
@pytest.mark.parametrize("by", [ANN, CAT, None], ids=["owner", "viewer", "service"])
def test_an_unknown_thing_is_reported_before_anything_else(
    type_: str, thing: dict[str, str], more: dict[str, Any], code: Code, by: str | None
) -> None:
    tried = command(type_, by, **thing, **more)
    ACME.with_taken(*thing.values()).when(tried).then_rejected(code)
    (entry,) = ACME.when(tried).then_rejected(code).entries()
    _, own_id = NOUNS[type_.partition("_")[2]]
    assert (entry.entity_id, entry.project_id) == ((thing | more).get(own_id, made_by(tried)), None)
    assert json.loads(entry.data).items() >= thing.items()
