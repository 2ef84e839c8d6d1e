"""A second implementation, from the contract, of the rules for sync runs, dead letters and alerts. Each command
has a function, which returns the data of the success entry or raises Refused.
"""

from support.chain import Json
from support.rules import Rule
from support.world import (
    World,
    created_id,
    existing,
    may_choose,
    org_of,
    require,
    require_free,
    unchanged,
    works_in_project,
)

MAX_MATCHES = 1000
"""A bulk command with a filter changes at most this many dead letters."""
MAX_COUNTED = 10_000
"""The remaining matches are counted up to this number; 10,001 stands for any larger number."""


def _connection(org: Json, command: Json, connection_id: str) -> Json:
    """The connection. Refuses the command if the actor has no right to work in the connection's project."""
    connection = existing(org, "connections", connection_id, "CONNECTION_NOT_FOUND")
    require(works_in_project(org, connection["project_id"], command))
    return connection


def _start_sync(world: World, principal: str, command: Json) -> Json:
    org, connection_id = org_of(world, command), command["data"]["connection_id"]
    connection = _connection(org, command, connection_id)
    require(may_choose(principal, command))
    require_free(world, command)
    require(connection["active"], "CONNECTION_INACTIVE")
    running = {run["connection_id"] for run in org["runs"].values() if run["status"] == "running"}
    require(connection_id not in running, "SYNC_ALREADY_RUNNING")
    org["runs"][created_id(command)] = {"connection_id": connection_id, "status": "running"}
    return {"sync_run_id": created_id(command), "connection_id": connection_id}


def _end_sync(world: World, principal: str, command: Json) -> Json:
    org, data = org_of(world, command), command["data"]
    run = existing(org, "runs", data["sync_run_id"], "SYNC_RUN_NOT_FOUND")
    connection = _connection(org, command, run["connection_id"])
    require(run["status"] == "running", "SYNC_NOT_RUNNING")
    match command["type"]:
        case "COMPLETE_SYNC":
            run["status"], connection["failures"] = "success", 0
        case "FAIL_SYNC":
            run["status"], connection["failures"] = "failed", connection["failures"] + 1
        case _:
            run["status"] = "cancelled"
    return {**data, "connection_id": run["connection_id"]}


def _record_dlq_event(world: World, principal: str, command: Json) -> Json:
    org, data = org_of(world, command), command["data"]
    _connection(org, command, data["connection_id"])
    require(may_choose(principal, command))
    require_free(world, command)
    made = {"connection_id": data["connection_id"], "pending": True, "retry_count": 0}
    org["dead_letters"][created_id(command)] = made
    return {**data, "dlq_event_id": created_id(command)}


def _pending(org: Json, command: Json) -> Json:
    """The dead letter that the command acts on. Refuses the command if the dead letter is already resolved."""
    letter = existing(org, "dead_letters", command["data"]["dlq_event_id"], "DLQ_EVENT_NOT_FOUND")
    _connection(org, command, letter["connection_id"])
    require(letter["pending"], "DLQ_EVENT_RESOLVED")
    return letter


def _retry_dlq_event(world: World, principal: str, command: Json) -> Json:
    letter = _pending(org_of(world, command), command)
    letter["retry_count"] += 1
    return {**command["data"], "connection_id": letter["connection_id"], "retry_count": letter["retry_count"]}


def _resolve_dlq_event(world: World, principal: str, command: Json) -> Json:
    letter = _pending(org_of(world, command), command)
    letter["pending"] = False
    return {**command["data"], "connection_id": letter["connection_id"]}


def _retry_dlq_events(world: World, principal: str, command: Json) -> Json:
    org = org_of(world, command)
    data = _touched(org, command)
    for id_ in data["ids"]:
        org["dead_letters"][id_]["retry_count"] += 1
    return data


def _resolve_dlq_events(world: World, principal: str, command: Json) -> Json:
    org = org_of(world, command)
    data = _touched(org, command)
    for id_ in data["ids"]:
        org["dead_letters"][id_]["pending"] = False
    return data


def _touched(org: Json, command: Json) -> Json:
    """The entry's data: the command's data, with the ids of the dead letters that it changes."""
    data, letters = command["data"], org["dead_letters"]
    _connection(org, command, data["connection_id"])
    own = {id_: letter for id_, letter in letters.items() if letter["connection_id"] == data["connection_id"]}
    if "ids" in data:
        require(own.keys() >= set(data["ids"]), "DLQ_EVENT_NOT_FOUND")
        made = {**data, "ids": sorted(id_ for id_ in set(data["ids"]) if own[id_]["pending"])}
    else:
        matching = sorted(id_ for id_, letter in own.items() if _matches(letter, data["filter"]))
        made = {**data, "ids": matching[:MAX_MATCHES], "remaining": min(len(matching[MAX_MATCHES:]), MAX_COUNTED + 1)}
    return made if made["ids"] else unchanged(made)


def _matches(letter: Json, wanted: Json) -> bool:
    matches: bool = letter["retry_count"] <= wanted.get("max_retry_count", letter["retry_count"])
    return matches and letter["pending"] is True


def _raise_alert(world: World, principal: str, command: Json) -> Json:
    org, data = org_of(world, command), command["data"]
    require(data["project_id"] in org["projects"], "PROJECT_NOT_FOUND")
    require(works_in_project(org, data["project_id"], command) and may_choose(principal, command))
    if "connection_id" in data:
        connection = existing(org, "connections", data["connection_id"], "CONNECTION_NOT_FOUND")
        require(connection["project_id"] == data["project_id"], "CONNECTION_NOT_FOUND")
    require_free(world, command)
    org["alerts"][created_id(command)] = {"project_id": data["project_id"], "severity": data["severity"]}
    return {**data, "alert_id": created_id(command)}


def _resolve_alert(world: World, principal: str, command: Json) -> Json:
    org, id_ = org_of(world, command), command["data"]["alert_id"]
    alert = existing(org, "alerts", id_, "ALERT_NOT_FOUND")
    require(works_in_project(org, alert["project_id"], command))
    del org["alerts"][id_]
    return dict(command["data"])


RUNS: dict[str, Rule] = {
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
    "RESOLVE_ALERT": _resolve_alert,
}
