"""The types of random commands: how often each is drawn, which function makes its data, and what the org must have."""

from support.chain import Json
from support.workload_hub import HUB_DATA
from support.workload_members import MEMBERSHIP_DATA
from support.world import CREATED

DATA = MEMBERSHIP_DATA | HUB_DATA
WEIGHTS = {
    "RENAME_ORG": 4,
    "ADD_MEMBER": 14,
    "UPDATE_MEMBER": 9,
    "REMOVE_MEMBER": 5,
    "CREATE_PROJECT": 5,
    "RENAME_PROJECT": 4,
    "ADD_PROJECT_MEMBER": 11,
    "UPDATE_PROJECT_MEMBER": 6,
    "REMOVE_PROJECT_MEMBER": 4,
    "CREATE_CONNECTION": 7,
    "UPDATE_CONNECTION": 7,
    "ACTIVATE_CONNECTION": 5,
    "DEACTIVATE_CONNECTION": 3,
    "DELETE_CONNECTION": 4,
    "START_SYNC": 15,
    "COMPLETE_SYNC": 5,
    "FAIL_SYNC": 11,
    "CANCEL_SYNC": 3,
    "RECORD_DLQ_EVENT": 14,
    "RETRY_DLQ_EVENT": 5,
    "RESOLVE_DLQ_EVENT": 6,
    "RETRY_DLQ_EVENTS": 4,
    "RESOLVE_DLQ_EVENTS": 4,
    "RAISE_ALERT": 5,
    "RESOLVE_ALERT": 6,
    "CREATE_SECRET_REF": 7,
    "ROTATE_SECRET_REF": 4,
    "DELETE_SECRET_REF": 4,
}
ACTS_ON = {
    "projects": ("RENAME_PROJECT", "ADD_PROJECT_MEMBER", "UPDATE_PROJECT_MEMBER", "REMOVE_PROJECT_MEMBER"),
    "connections": ("UPDATE_CONNECTION", "ACTIVATE_CONNECTION", "DEACTIVATE_CONNECTION", "DELETE_CONNECTION"),
    "runs": ("COMPLETE_SYNC", "FAIL_SYNC", "CANCEL_SYNC"),
    "dead_letters": ("RETRY_DLQ_EVENT", "RESOLVE_DLQ_EVENT", "RETRY_DLQ_EVENTS", "RESOLVE_DLQ_EVENTS"),
    "alerts": ("RESOLVE_ALERT",),
    "secret_refs": ("ROTATE_SECRET_REF", "DELETE_SECRET_REF"),
}
NEEDS = {kind: things for things, kinds in ACTS_ON.items() for kind in kinds} | {
    "CREATE_CONNECTION": "projects",
    "START_SYNC": "connections",
    "RECORD_DLQ_EVENT": "connections",
    "RAISE_ALERT": "projects",
    "TIME_OUT": "runs",
}
WITHOUT_EFFECT = {
    "RENAME_ORG",
    "UPDATE_MEMBER",
    "RENAME_PROJECT",
    "UPDATE_PROJECT_MEMBER",
    "UPDATE_CONNECTION",
    "ACTIVATE_CONNECTION",
    "DEACTIVATE_CONNECTION",
    "RETRY_DLQ_EVENTS",
    "RESOLVE_DLQ_EVENTS",
    "ROTATE_SECRET_REF",
}
"""The commands of WEIGHTS that may be accepted although they change nothing."""

MAKES = {things: kind for kind, (things, _) in CREATED.items()}
SERVED = {*ACTS_ON["runs"], *ACTS_ON["dead_letters"], "START_SYNC", "RECORD_DLQ_EVENT", "RAISE_ALERT", "RESOLVE_ALERT"}
"""The commands that a service may send without an actor."""


def lacking(org: Json, kind: str) -> str | None:
    """The kind of thing that the command needs but the org lacks; None if the org has everything."""
    things = NEEDS.get(kind)
    if things == "runs":
        return None if any(run["status"] == "running" for run in org["runs"].values()) else things
    if kind == "CREATE_CONNECTION" and org["projects"] and not org["secret_refs"]:
        return "secret_refs"
    return None if things is None or org[things] else things
