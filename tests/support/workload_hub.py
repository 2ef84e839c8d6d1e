"""Random data for commands on connections, runs, dead letters, alerts and secret references, from the model's org."""

from support.chain import Json
from support.draws import Draws
from support.workload_configs import TYPES, config, secret_id_ref
from support.workload_members import Data

RESOLUTIONS = ("replayed", "manual", "duplicate", "discarded")
SEVERITIES = ("critical", "warning", "info")


def _create_connection(draws: Draws, org: Json) -> Json:
    type_ = draws.one_of(TYPES)
    made = {"project_id": draws.known(org["projects"]), "type": type_, "name": draws.name()}
    return {**made, "config": config(draws, org, type_)}


def _update_connection(draws: Draws, org: Json) -> Json:
    id_ = draws.known(org["connections"])
    present = org["connections"].get(id_, {"type": "stripe_like", "name": "Ada", "config": {}})
    if draws.chance(0.15):
        return {"connection_id": id_, "name": present["name"], "config": present["config"]}
    changes = {"name": draws.name(), "config": config(draws, org, present["type"])}
    left_out = draws.one_of(("name", "config", None))
    return {"connection_id": id_, **{name: value for name, value in changes.items() if name != left_out}}


def _connection(draws: Draws, org: Json) -> Json:
    return {"connection_id": draws.known(org["connections"])}


def _switch_connection(draws: Draws, org: Json) -> Json:
    return {**_connection(draws, org), **draws.sometimes(0.3, reason=draws.text())}


def _start_sync(draws: Draws, org: Json) -> Json:
    """Usually a sync of an active connection that has no running sync; often the one with the most failures."""
    busy = {run["connection_id"] for run in org["runs"].values() if run["status"] == "running"}
    free = {id_: made for id_, made in org["connections"].items() if made["active"] and id_ not in busy}
    if free and draws.chance(0.4):
        return {"connection_id": max(free, key=lambda id_: org["connections"][id_]["failures"])}
    return {"connection_id": draws.known(free if free and draws.chance(0.8) else org["connections"])}


def _complete_sync(draws: Draws, org: Json) -> Json:
    stats = {"rows": draws.random.randint(0, 10**6), "pages": [1, 2.5], "seen": draws.value()}
    return {"sync_run_id": _run(draws, org), **draws.sometimes(0.5, stats=stats)}


def _fail_sync(draws: Draws, org: Json) -> Json:
    return {"sync_run_id": _run(draws, org), "error_message": draws.text()}


def _cancel_sync(draws: Draws, org: Json) -> Json:
    return {"sync_run_id": _run(draws, org), **draws.sometimes(0.5, reason=draws.text())}


def _run(draws: Draws, org: Json) -> str:
    running = {id_: run for id_, run in org["runs"].items() if run["status"] == "running"}
    return draws.known(running if running and draws.chance(0.9) else org["runs"])


def _record_dlq_event(draws: Draws, org: Json) -> Json:
    return {**_connection(draws, org), "payload": draws.value(), **draws.sometimes(0.5, error=draws.text())}


def _dlq_event(draws: Draws, org: Json) -> Json:
    pending = {id_: letter for id_, letter in org["dead_letters"].items() if letter["pending"]}
    return {"dlq_event_id": draws.known(pending if pending and draws.chance(0.9) else org["dead_letters"])}


def _resolution(draws: Draws) -> Json:
    return {"resolution": draws.one_of(RESOLUTIONS), **draws.sometimes(0.3, reason=draws.text())}


def _resolve_dlq_event(draws: Draws, org: Json) -> Json:
    return {**_dlq_event(draws, org), **_resolution(draws)}


def _dlq_events(draws: Draws, org: Json) -> Json:
    data = _connection(draws, org)
    own = [id_ for id_, made in org["dead_letters"].items() if made["connection_id"] == data["connection_id"]]
    if not own or draws.chance(0.4):
        return {**data, "filter": draws.sometimes(0.6, max_retry_count=draws.random.randint(0, 2))}
    ids = draws.random.choices(own, k=draws.random.randint(1, 6))
    if draws.chance(0.1):
        ids.append(draws.known(org["dead_letters"]))
    return {**data, "ids": ids}


def _resolve_dlq_events(draws: Draws, org: Json) -> Json:
    return {**_dlq_events(draws, org), **_resolution(draws)}


def _raise_alert(draws: Draws, org: Json) -> Json:
    id_ = draws.known(org["connections"])
    project_id = org["connections"].get(id_, {}).get("project_id") or draws.known(org["projects"])
    made = {"project_id": project_id if draws.chance(0.7) else draws.known(org["projects"])}
    made |= {"severity": draws.one_of(SEVERITIES), "message": draws.text()}
    return {**made, **draws.sometimes(0.5, connection_id=id_)}


def _resolve_alert(draws: Draws, org: Json) -> Json:
    return {"alert_id": draws.known(org["alerts"])}


def _create_secret_ref(draws: Draws, org: Json) -> Json:
    return {"key_name": draws.key_name(), "secret_id_ref": secret_id_ref(draws)}


def _secret_ref(draws: Draws, org: Json) -> Json:
    return {"secret_ref_id": draws.known(org["secret_refs"])}


def _rotate_secret_ref(draws: Draws, org: Json) -> Json:
    data = _secret_ref(draws, org)
    present = org["secret_refs"].get(data["secret_ref_id"])
    same = present is not None and draws.chance(0.3)
    return {**data, "secret_id_ref": present["secret_id_ref"] if present and same else secret_id_ref(draws)}


HUB_DATA: dict[str, Data] = {
    "CREATE_CONNECTION": _create_connection,
    "UPDATE_CONNECTION": _update_connection,
    "ACTIVATE_CONNECTION": _switch_connection,
    "DEACTIVATE_CONNECTION": _switch_connection,
    "DELETE_CONNECTION": _connection,
    "START_SYNC": _start_sync,
    "COMPLETE_SYNC": _complete_sync,
    "FAIL_SYNC": _fail_sync,
    "CANCEL_SYNC": _cancel_sync,
    "RECORD_DLQ_EVENT": _record_dlq_event,
    "RETRY_DLQ_EVENT": _dlq_event,
    "RESOLVE_DLQ_EVENT": _resolve_dlq_event,
    "RETRY_DLQ_EVENTS": _dlq_events,
    "RESOLVE_DLQ_EVENTS": _resolve_dlq_events,
    "RAISE_ALERT": _raise_alert,
    "RESOLVE_ALERT": _resolve_alert,
    "CREATE_SECRET_REF": _create_secret_ref,
    "ROTATE_SECRET_REF": _rotate_secret_ref,
    "DELETE_SECRET_REF": _secret_ref,
}
