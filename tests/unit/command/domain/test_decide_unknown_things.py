"""Commands that name a thing that is not in their org. The thing is reported before missing rights, and the failure
names it.
"""

import json
from typing import Any

import pytest

from daybook_contracts.codes import Code
from support.given import ANN, CAT, NOBODY, command, given, thing_id_of
from support.hub_scene import HUB
from support.world import NOUNS

ACME = given(*HUB)
NOWHERE = "1c000000-0000-4000-8000-000000000009"
PROJECT, CONNECTION = {"project_id": NOWHERE}, {"connection_id": NOWHERE}
RUN, LETTER = {"sync_run_id": NOWHERE}, {"dlq_event_id": NOWHERE}
ALERT, SECRET_REF = {"alert_id": NOWHERE}, {"secret_ref_id": NOWHERE}
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
    ("RESOLVE_DLQ_EVENTS", CONNECTION, {"ids": [NOWHERE], "resolution": "manual"}, Code.CONNECTION_NOT_FOUND),
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
    ACME.with_taken(NOWHERE).when(tried).then_rejected(code)
    (entry,) = ACME.when(tried).then_rejected(code).entries()
    _, own_id = NOUNS[type_.partition("_")[2]]
    assert (entry.entity_id, entry.project_id) == ((thing | more).get(own_id, thing_id_of(tried)), None)
    assert json.loads(entry.data).items() >= thing.items()
