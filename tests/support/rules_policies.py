"""A second implementation, from the contract, of policies: which alerts a command raises, escalates or resolves."""

from uuid import UUID, uuid5

from support.chain import Json
from support.world import TIMEKEEPER

POLICIES = ("sync_failing", "dlq_backlog", "sync_stalled")
"""In the order of their entries within a command."""
WORSE = ("warning", "critical")


def consequences(org: Json, principal: str, command: Json, data: Json, project_id: str | None) -> list[Json]:
    """The entries that policies add to a command that succeeded with this data: action, and data without the message.
    `org` is the org after the command; the policies change it.
    """
    connection_id = _connection_of(org, data)
    made = []
    for rule in POLICIES:
        wanted = _wanted(rule, org, principal, command["type"], connection_id)
        if wanted is not None:
            made += _entries(org, {"connection_id": connection_id, "rule": rule}, wanted, project_id)
    return made


def _connection_of(org: Json, data: Json) -> str:
    """The connection that the command is about. Policies react only to commands about a connection or its dead
    letters.
    """
    if "connection_id" in data:
        connection_id: str = data["connection_id"]
    else:
        connection_id = org["dead_letters"][data["dlq_event_id"]]["connection_id"]
    return connection_id


def _wanted(rule: str, org: Json, principal: str, kind: str, connection_id: str) -> str | None:
    """The severity that the alert must have; "none" if it must not be open; None if the command does not change it."""
    if kind == "DELETE_CONNECTION":
        return "none"
    match rule, kind:
        case "sync_failing", "FAIL_SYNC":
            return "critical" if org["connections"][connection_id]["failures"] >= 3 else "warning"
        case (("sync_failing" | "sync_stalled"), "COMPLETE_SYNC"):
            return "none"
        case "sync_stalled", "FAIL_SYNC":
            return "critical" if principal == TIMEKEEPER else None
        case "dlq_backlog", "RECORD_DLQ_EVENT":
            return "critical" if _pending(org, connection_id) >= 100 else "warning"
        case "dlq_backlog", ("RESOLVE_DLQ_EVENT" | "RESOLVE_DLQ_EVENTS"):
            return None if _pending(org, connection_id) else "none"
        case _:
            return None


def _pending(org: Json, connection_id: str) -> int:
    letters = org["dead_letters"].values()
    return sum(letter["connection_id"] == connection_id and letter["pending"] for letter in letters)


def _entries(org: Json, about: Json, wanted: str, project_id: str | None) -> list[Json]:
    id_ = str(uuid5(UUID(about["connection_id"]), about["rule"]))
    alert = org["alerts"].get(id_)
    data = {"alert_id": id_, **about}
    if wanted == "none":
        return [] if org["alerts"].pop(id_, None) is None else [{"action": "RESOLVE_ALERT", "data": data}]
    if alert is None:
        org["alerts"][id_] = {"project_id": project_id, "severity": wanted}
        data |= {"project_id": project_id, "severity": wanted}
        return [{"action": "RAISE_ALERT", "data": data}]
    if WORSE.index(wanted) > WORSE.index(alert["severity"]):
        alert["severity"] = wanted
        return [{"action": "ESCALATE_ALERT", "data": {**data, "severity": wanted}}]
    return []
