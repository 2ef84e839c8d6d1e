"""The source of the golden samples: one fact of every action, each sealed as the first entry of a log."""

from typing import Final

from orjson import loads

from daybook_contracts.codes import SENTENCE, Code
from daybook_contracts.entries import facts
from daybook_contracts.entries.entry import EntryError
from daybook_contracts.entries.facts import ENTRY_DATA
from daybook_contracts.entries.fields import Fact, encode_fact, free_json
from daybook_contracts.entries.hashing import request_hash
from daybook_contracts.entries.identity import Identity, thing_id, timeout_command_id
from daybook_contracts.json.canonical import canonical_bytes
from daybook_contracts.routing import partition_of
from support.flat_entries import Flat, Sealed, seal_flat
from support.world import NOUNS

ORG: Final = "00000000-0000-4000-8000-000000000001"
COMMAND: Final = "01890000-0000-7000-8000-000000000002"
USER: Final = "00000000-0000-4000-8000-000000000003"
PROJECT: Final = "00000000-0000-4000-8000-000000000004"
CONNECTION: Final = "00000000-0000-4000-8000-000000000005"
THING: Final = "00000000-0000-4000-8000-000000000006"
MADE: Final = thing_id(ORG, COMMAND)
SALT: Final = "00112233445566778899aabbccddeeff"

CONFIG: Final = free_json({"events": ["PURCHASE_APPROVED"], "secrets": {"hottok": "hotmart-hottok"}, "é": 1.5})

FACTS: Final[dict[str, Fact]] = {
    "REGISTER_USER": facts.UserRegistered(user_id=USER),
    "CREATE_ORG": facts.OrgCreated(name="Ünïted 😀 Órg"),
    "RENAME_ORG": facts.OrgRenamed(name="x"),
    "ADD_MEMBER": facts.MemberAdded(user_id=USER, role="member"),
    "UPDATE_MEMBER": facts.MemberUpdated(user_id=USER, role="viewer", project_ids=(PROJECT,)),
    "REMOVE_MEMBER": facts.MemberRemoved(user_id=USER, project_ids=(PROJECT,)),
    "CREATE_PROJECT": facts.ProjectCreated(project_id=MADE, name="Project"),
    "RENAME_PROJECT": facts.ProjectRenamed(project_id=PROJECT, name="Same name", changed=False),
    "ADD_PROJECT_MEMBER": facts.ProjectMemberAdded(project_id=PROJECT, user_id=USER, role="editor"),
    "UPDATE_PROJECT_MEMBER": facts.ProjectMemberUpdated(project_id=PROJECT, user_id=USER, role="viewer"),
    "REMOVE_PROJECT_MEMBER": facts.ProjectMemberRemoved(project_id=PROJECT, user_id=USER),
    "CREATE_CONNECTION": facts.ConnectionCreated(
        connection_id=MADE, project_id=PROJECT, type="hotmart", name="Shop", config=CONFIG
    ),
    "UPDATE_CONNECTION": facts.ConnectionUpdated(connection_id=CONNECTION, name="Shop 2", config=CONFIG),
    "ACTIVATE_CONNECTION": facts.ConnectionActivated(connection_id=CONNECTION),
    "DEACTIVATE_CONNECTION": facts.ConnectionDeactivated(connection_id=CONNECTION, reason="maintenance"),
    "DELETE_CONNECTION": facts.ConnectionDeleted(connection_id=CONNECTION),
    "START_SYNC": facts.SyncStarted(sync_run_id=MADE, connection_id=CONNECTION),
    "COMPLETE_SYNC": facts.SyncCompleted(
        sync_run_id=THING, connection_id=CONNECTION, stats=free_json({"rows": 1200, "seconds": 3.25})
    ),
    "FAIL_SYNC": facts.SyncFailed(sync_run_id=THING, connection_id=CONNECTION, error_message="quota\nexceeded"),
    "CANCEL_SYNC": facts.SyncCancelled(sync_run_id=THING, connection_id=CONNECTION, reason="superseded"),
    "RECORD_DLQ_EVENT": facts.DlqEventRecorded(
        dlq_event_id=MADE,
        connection_id=CONNECTION,
        payload=free_json({"id": "evt-1", "price": 1e21, "buyer": None, "tags": [True, -0.0, 1.0]}),
        error="unknown product",
    ),
    "RETRY_DLQ_EVENT": facts.DlqEventRetried(dlq_event_id=THING, connection_id=CONNECTION, retry_count=3),
    "RESOLVE_DLQ_EVENT": facts.DlqEventResolved(dlq_event_id=THING, connection_id=CONNECTION, resolution="replayed"),
    "RETRY_DLQ_EVENTS": facts.DlqEventsRetried(
        connection_id=CONNECTION, ids=(THING,), filter=facts.DlqFilter(max_retry_count=5), remaining=10001
    ),
    "RESOLVE_DLQ_EVENTS": facts.DlqEventsResolved(
        connection_id=CONNECTION, ids=(THING,), resolution="discarded", reason="test data"
    ),
    "RAISE_ALERT": facts.AlertRaised(
        alert_id=THING,
        project_id=PROJECT,
        connection_id=CONNECTION,
        severity="warning",
        message="3 dead letters",
        rule="dlq_backlog",
    ),
    "ESCALATE_ALERT": facts.AlertEscalated(
        alert_id=THING, connection_id=CONNECTION, rule="sync_failing", severity="critical", message="failed 3 times"
    ),
    "RESOLVE_ALERT": facts.AlertResolved(alert_id=THING),
    "CREATE_SECRET_REF": facts.SecretRefCreated(
        secret_ref_id=MADE, key_name="hotmart-hottok", secret_id_ref="env:HOTTOK"
    ),
    "ROTATE_SECRET_REF": facts.SecretRefRotated(secret_ref_id=THING, secret_id_ref="env:HOTTOK_2"),
    "DELETE_SECRET_REF": facts.SecretRefDeleted(secret_ref_id=THING),
}

_OUTSIDE_PROJECTS: Final = {"user", "org", "org_member", "secret_ref"}


def unsealed(action: str, *, error: EntryError | None = None) -> Flat:
    """The sample fact of an action as an entry. With `error`, it is the entry of the rejected command instead."""
    fact = FACTS[action]
    noun, id_member = NOUNS[action.partition("_")[2]]
    key, org = (USER, None) if noun == "user" else (ORG, ORG)
    identity = Identity("user" if noun == "user" else "org", key, None, COMMAND)
    data = encode_fact(fact)
    return {
        "action": action,
        "actor_user_id": USER,
        "created_at": "2026-11-22T15:10:13.123456Z",
        "entity_id": getattr(fact, id_member) if id_member else ORG,
        "entity_type": noun,
        "id": identity.first_id(),
        "org_id": org,
        "project_id": None if noun in _OUTSIDE_PROJECTS else getattr(fact, "project_id", PROJECT),
        "result": "success" if error is None else "failure",
        "command_id": COMMAND,
        "data": data,
        "entries": 1,
        "error": error,
        "key": key,
        "ordinal": 0,
        "partition": partition_of(key, 12),
        "principal": f"user:{USER}",
        "request": request_hash(bytes.fromhex(SALT), action, org, USER, _without_text(data)),
        "salt": SALT,
        "scope": identity.scope,
    }


FORBIDDEN: Final = EntryError(code="FORBIDDEN", detail=SENTENCE[Code.FORBIDDEN])
ORG_NOT_FOUND: Final = EntryError(code="ORG_NOT_FOUND", detail=SENTENCE[Code.ORG_NOT_FOUND])


def _without_text(data: bytes) -> bytes:
    left_out = {"message", "error", "error_message", "reason", "stats"}
    return canonical_bytes({name: value for name, value in loads(data).items() if name not in left_out})


def attempt_of_outsider(org: str | None) -> Flat:
    """An outsider's rejected command, in the scope `outsider`. If `org` is None, because the org does not exist, the
    data has the org's id; otherwise it is empty.
    """
    return dict(
        unsealed("RENAME_ORG", error=ORG_NOT_FOUND),
        id=Identity("outsider", ORG, USER, COMMAND).first_id(),
        scope="outsider",
        org_id=org,
        data=canonical_bytes({} if org else {"org_id": ORG}),
    )


def attempt_on_no_org() -> Flat:
    """A service's rejected command on an org that does not exist. Its data has the org id that the command named."""
    return dict(
        unsealed("RENAME_ORG", error=ORG_NOT_FOUND),
        actor_user_id=None,
        principal="service:example",
        org_id=None,
        data=canonical_bytes({"name": "x", "org_id": ORG}),
        request=request_hash(bytes.fromhex(SALT), "RENAME_ORG", ORG, None, canonical_bytes({"name": "x"})),
    )


def timed_out() -> Flat:
    """The entry of a sync run that Daybook itself failed. Its id is in the scope `policy`, which no sender can use."""
    command_id = timeout_command_id(THING)
    fact = facts.SyncFailed(sync_run_id=THING, connection_id=CONNECTION, error_message="TIMED_OUT")
    data = encode_fact(fact)
    return dict(
        unsealed("FAIL_SYNC"),
        actor_user_id=None,
        principal="service:daybook",
        command_id=command_id,
        id=Identity("policy", ORG, None, command_id).first_id(),
        scope="policy",
        data=data,
        request=request_hash(bytes.fromhex(SALT), "FAIL_SYNC", ORG, None, canonical_bytes({"sync_run_id": THING})),
    )


def samples() -> dict[str, Sealed]:
    """Every golden sample, by its file name."""
    entries = {action: unsealed(action) for action in ENTRY_DATA}
    entries["failure"] = unsealed("UPDATE_PROJECT_MEMBER", error=FORBIDDEN)
    entries["failure-on-no-org"] = attempt_on_no_org()
    entries["failure-of-outsider"] = attempt_of_outsider(ORG)
    entries["failure-of-outsider-on-no-org"] = attempt_of_outsider(None)
    entries["FAIL_SYNC.policy"] = timed_out()
    return {f"{name}.v1.json": seal_flat(entry) for name, entry in entries.items()}
