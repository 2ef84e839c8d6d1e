"""A second implementation, from the contract, of how success entries of connections, runs, dead letters, alerts and
secret references change the tables. It shares no code with the projector.
"""

from typing import Any

from support.chain import Json
from support.folds import Fold, Tables, insert


def _create_connection(tables: Tables, entry: Json, data: Json) -> None:
    row = (entry["org_id"], data["project_id"], data["type"], data["name"], data["config"], True)
    insert(tables["source_connections"], (data["connection_id"],), row)


def _update_connection(tables: Tables, entry: Json, data: Json) -> None:
    org_id, project_id, type_, name, config, active = tables["source_connections"][data["connection_id"],]
    row = (org_id, project_id, type_, data.get("name", name), data.get("config", config), active)
    tables["source_connections"][data["connection_id"],] = row


def _switch_connection(tables: Tables, entry: Json, data: Json) -> None:
    *others, _ = tables["source_connections"][data["connection_id"],]
    row = (*others, entry["action"] == "ACTIVATE_CONNECTION")
    tables["source_connections"][data["connection_id"],] = row


def _delete_connection(tables: Tables, entry: Json, data: Json) -> None:
    del tables["source_connections"][data["connection_id"],]
    for name in ("sync_runs", "dlq_events"):
        # row[0] is the connection's id: a row has the columns after the primary key.
        kept = {key: row for key, row in tables[name].items() if row[0] != data["connection_id"]}
        tables[name] = kept


def _start_sync(tables: Tables, entry: Json, data: Json) -> None:
    row = (data["connection_id"], "running", entry["created_at"], None, None)
    insert(tables["sync_runs"], (data["sync_run_id"],), row)


def _end_sync(tables: Tables, entry: Json, data: Json) -> None:
    status = {"COMPLETE_SYNC": "success", "FAIL_SYNC": "failed", "CANCEL_SYNC": "cancelled"}[entry["action"]]
    connection_id, before, started_at, _, _ = tables["sync_runs"][data["sync_run_id"],]
    assert (connection_id, before) == (data["connection_id"], "running"), f"{data} ends a run that is {before}"
    row = (connection_id, status, started_at, entry["created_at"], data.get("error_message"))
    tables["sync_runs"][data["sync_run_id"],] = row


def _record_dlq_event(tables: Tables, entry: Json, data: Json) -> None:
    insert(tables["dlq_events"], (data["dlq_event_id"],), (data["connection_id"], data["payload"], "pending", 0))


def _retry_dlq_event(tables: Tables, entry: Json, data: Json) -> None:
    connection_id, payload, _ = _pending(tables, data["dlq_event_id"])
    assert connection_id == data["connection_id"]
    tables["dlq_events"][data["dlq_event_id"],] = (connection_id, payload, "pending", data["retry_count"])


def _resolve_dlq_event(tables: Tables, entry: Json, data: Json) -> None:
    tables["dlq_events"][data["dlq_event_id"],] = _resolved(tables, data["dlq_event_id"])


def _retry_dlq_events(tables: Tables, entry: Json, data: Json) -> None:
    for id_ in data["ids"]:
        connection_id, payload, retry_count = _pending(tables, id_)
        tables["dlq_events"][id_,] = (connection_id, payload, "pending", retry_count + 1)


def _resolve_dlq_events(tables: Tables, entry: Json, data: Json) -> None:
    for id_ in data["ids"]:
        tables["dlq_events"][id_,] = _resolved(tables, id_)


def _pending(tables: Tables, id_: str) -> tuple[str, Any, int]:
    connection_id, payload, status, retry_count = tables["dlq_events"][id_,]
    assert status == "pending", f"{id_} is {status} already"
    return connection_id, payload, retry_count


def _resolved(tables: Tables, id_: str) -> tuple[Any, ...]:
    connection_id, payload, retry_count = _pending(tables, id_)
    return connection_id, payload, "resolved", retry_count


def _raise_alert(tables: Tables, entry: Json, data: Json) -> None:
    row = (data["project_id"], data["severity"], data["message"])
    insert(tables["integration_alerts"], (data["alert_id"],), row)


def _escalate_alert(tables: Tables, entry: Json, data: Json) -> None:
    project_id, severity, _ = tables["integration_alerts"][data["alert_id"],]
    assert severity != data["severity"], f"{data['alert_id']} is {severity} already"
    tables["integration_alerts"][data["alert_id"],] = (project_id, data["severity"], data["message"])


def _resolve_alert(tables: Tables, entry: Json, data: Json) -> None:
    del tables["integration_alerts"][data["alert_id"],]


def _create_secret_ref(tables: Tables, entry: Json, data: Json) -> None:
    taken = {row[:2] for row in tables["secret_refs"].values()}
    assert (entry["org_id"], data["key_name"]) not in taken, f"{data['key_name']} is taken"
    row = (entry["org_id"], data["key_name"], data["secret_id_ref"])
    insert(tables["secret_refs"], (data["secret_ref_id"],), row)


def _rotate_secret_ref(tables: Tables, entry: Json, data: Json) -> None:
    org_id, key_name, _ = tables["secret_refs"][data["secret_ref_id"],]
    tables["secret_refs"][data["secret_ref_id"],] = (org_id, key_name, data["secret_id_ref"])


def _delete_secret_ref(tables: Tables, entry: Json, data: Json) -> None:
    del tables["secret_refs"][data["secret_ref_id"],]


HUB_FOLDS: dict[str, Fold] = {
    "CREATE_CONNECTION": _create_connection,
    "UPDATE_CONNECTION": _update_connection,
    "ACTIVATE_CONNECTION": _switch_connection,
    "DEACTIVATE_CONNECTION": _switch_connection,
    "DELETE_CONNECTION": _delete_connection,
    "START_SYNC": _start_sync,
    "COMPLETE_SYNC": _end_sync,
    "FAIL_SYNC": _end_sync,
    "CANCEL_SYNC": _end_sync,
    "RECORD_DLQ_EVENT": _record_dlq_event,
    "RETRY_DLQ_EVENT": _retry_dlq_event,
    "RESOLVE_DLQ_EVENT": _resolve_dlq_event,
    "RETRY_DLQ_EVENTS": _retry_dlq_events,
    "RESOLVE_DLQ_EVENTS": _resolve_dlq_events,
    "RAISE_ALERT": _raise_alert,
    "ESCALATE_ALERT": _escalate_alert,
    "RESOLVE_ALERT": _resolve_alert,
    "CREATE_SECRET_REF": _create_secret_ref,
    "ROTATE_SECRET_REF": _rotate_secret_ref,
    "DELETE_SECRET_REF": _delete_secret_ref,
}
