"""The rows of the matrix of rights: every command, with names of the scene (support.matrix_scene) in place of ids.

`oneself` stands for the actor, and `its project` for a project of the actor. Each command succeeds if the actor has the
right to send it.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from support.chain import Json


class Aim(StrEnum):
    """The user whom a command changes, if the right to send the command depends on this user."""

    ONESELF = "oneself"
    ANOTHER = "another user"
    BELOW = "a member or viewer"
    RAISED = "a member or viewer, made admin or owner"
    ABOVE = "an admin or owner"


@dataclass(frozen=True, slots=True)
class Row:
    type: str
    commands: tuple[Json, ...]
    """The data of each command. All get the same verdict."""
    aim: Aim | None = None
    policy: tuple[str, ...] = ()
    """The actions of the entries that policies add."""
    in_lounge: bool = False
    """Whether the commands act on the project lounge, in which nobody is more than a viewer."""
    changes: bool = True
    """Whether a command that succeeds changes anything."""


def _row(type_: str, *commands: Json, **more: Any) -> Row:
    return Row(type_, commands, **more)


def _user(name: str, role: str) -> Json:
    return {"user_id": name, "role": role}


_NEW: Final = {"type": "sheets", "name": "New", "config": {}}
_IN_WEB: Final = {"project_id": "web", "user_id": "web editor"}
_BY_IDS: Final = {"connection_id": "backlog", "ids": ["letter"]}
_BY_FILTER: Final = {"connection_id": "backlog", "filter": {}}

_ITSELF: Final = {"project_id": "its project", "user_id": "oneself"}
_LOUNGE: Final = {"project_id": "lounge"}
_TOKEN: Final = {"secret_ref_id": "token", "secret_id_ref": "vault:kv/hub#TOKEN"}

ROWS: Final = (
    _row("REGISTER_USER", {"user_id": "oneself"}, aim=Aim.ONESELF),
    _row("REGISTER_USER", {"user_id": "unregistered"}, aim=Aim.ANOTHER),
    _row("CREATE_ORG", {"name": "New"}),
    _row("RENAME_ORG", {"name": "New"}),
    _row("ADD_MEMBER", _user("newcomer", "member"), _user("newcomer", "viewer"), aim=Aim.BELOW),
    _row("ADD_MEMBER", _user("newcomer", "owner"), _user("newcomer", "admin"), aim=Aim.ABOVE),
    _row("UPDATE_MEMBER", _user("other member", "viewer"), _user("other viewer", "member"), aim=Aim.BELOW),
    _row("UPDATE_MEMBER", _user("other member", "admin"), _user("other viewer", "owner"), aim=Aim.RAISED),
    _row(
        "UPDATE_MEMBER",
        _user("other owner", "viewer"),
        _user("other admin", "member"),
        _user("other admin", "owner"),
        aim=Aim.ABOVE,
    ),
    _row("UPDATE_MEMBER", _user("oneself", "admin"), _user("oneself", "viewer"), aim=Aim.ONESELF),
    _row("REMOVE_MEMBER", {"user_id": "other member"}, {"user_id": "other viewer"}, aim=Aim.BELOW),
    _row("REMOVE_MEMBER", {"user_id": "other owner"}, {"user_id": "other admin"}, aim=Aim.ABOVE),
    _row("REMOVE_MEMBER", {"user_id": "oneself"}, aim=Aim.ONESELF),
    _row("CREATE_PROJECT", {"name": "New"}),
    _row("RENAME_PROJECT", {"project_id": "web", "name": "New"}),
    _row("ADD_PROJECT_MEMBER", {"project_id": "web", "user_id": "other member", "role": "admin"}),
    _row("UPDATE_PROJECT_MEMBER", {**_IN_WEB, "role": "admin"}, {**_IN_WEB, "role": "viewer"}),
    _row("REMOVE_PROJECT_MEMBER", _IN_WEB, aim=Aim.ANOTHER),
    _row("REMOVE_PROJECT_MEMBER", _ITSELF, aim=Aim.ONESELF),
    _row("CREATE_CONNECTION", {"project_id": "web", **_NEW}),
    _row(
        "UPDATE_CONNECTION",
        {"connection_id": "quiet", "name": "New"},
        {"connection_id": "quiet", "config": {"sheet": "prices"}},
    ),
    _row("ACTIVATE_CONNECTION", {"connection_id": "inactive"}),
    _row("DEACTIVATE_CONNECTION", {"connection_id": "quiet"}),
    _row("DELETE_CONNECTION", {"connection_id": "quiet"}),
    _row("START_SYNC", {"connection_id": "quiet"}),
    _row("COMPLETE_SYNC", {"sync_run_id": "run"}),
    _row("FAIL_SYNC", {"sync_run_id": "run", "error_message": "HTTP 503"}, policy=("RAISE_ALERT",)),
    _row("CANCEL_SYNC", {"sync_run_id": "run"}),
    _row("RECORD_DLQ_EVENT", {"connection_id": "quiet", "payload": {"n": 1}}, policy=("RAISE_ALERT",)),
    _row("RETRY_DLQ_EVENT", {"dlq_event_id": "letter"}),
    _row("RESOLVE_DLQ_EVENT", {"dlq_event_id": "letter", "resolution": "manual"}, policy=("RESOLVE_ALERT",)),
    _row("RETRY_DLQ_EVENTS", _BY_IDS, _BY_FILTER),
    _row(
        "RESOLVE_DLQ_EVENTS",
        {**_BY_IDS, "resolution": "replayed"},
        {**_BY_FILTER, "resolution": "discarded"},
        policy=("RESOLVE_ALERT",),
    ),
    _row(
        "RAISE_ALERT",
        {"project_id": "web", "severity": "info", "message": "look"},
        {"project_id": "web", "connection_id": "quiet", "severity": "critical", "message": "look"},
    ),
    _row("RESOLVE_ALERT", {"alert_id": "alert"}),
    _row("CREATE_SECRET_REF", {"key_name": "new", "secret_id_ref": "vault:kv/hub#NEW"}),
    _row("ROTATE_SECRET_REF", {"secret_ref_id": "token", "secret_id_ref": "vault:kv/hub#NEW"}),
    _row("DELETE_SECRET_REF", {"secret_ref_id": "token"}),
)
"""The rows that docs/commands.md shows."""

MORE_ROWS: Final = (
    _row("RENAME_ORG", {"name": "Acme"}, changes=False),
    _row("UPDATE_MEMBER", _user("other member", "member"), aim=Aim.BELOW, changes=False),
    _row("UPDATE_MEMBER", _user("other admin", "admin"), aim=Aim.ABOVE, changes=False),
    _row("UPDATE_MEMBER", _user("oneself", "member"), aim=Aim.ONESELF),
    _row("UPDATE_MEMBER", _user("oneself", "owner"), aim=Aim.ONESELF, changes=False),
    _row("RENAME_PROJECT", {"project_id": "web", "name": "web"}, changes=False),
    _row("RENAME_PROJECT", {**_LOUNGE, "name": "New"}, in_lounge=True),
    _row("ADD_PROJECT_MEMBER", {**_LOUNGE, "user_id": "other member", "role": "viewer"}, in_lounge=True),
    _row("UPDATE_PROJECT_MEMBER", {**_IN_WEB, "role": "editor"}, changes=False),
    _row(
        "UPDATE_PROJECT_MEMBER", {"project_id": "its project", "user_id": "oneself", "role": "admin"}, aim=Aim.ONESELF
    ),
    _row("CREATE_CONNECTION", {**_LOUNGE, **_NEW}, in_lounge=True),
    _row("UPDATE_CONNECTION", {"connection_id": "quiet", "name": "quiet"}, changes=False),
    _row("UPDATE_CONNECTION", {"connection_id": "far", "config": {"sheet": "prices"}}, in_lounge=True),
    _row("ACTIVATE_CONNECTION", {"connection_id": "quiet"}, changes=False),
    _row("DEACTIVATE_CONNECTION", {"connection_id": "far"}, in_lounge=True),
    _row("COMPLETE_SYNC", {"sync_run_id": "far run"}, in_lounge=True),
    _row("RECORD_DLQ_EVENT", {"connection_id": "far", "payload": {"n": 1}}, in_lounge=True),
    _row("RETRY_DLQ_EVENT", {"dlq_event_id": "far letter"}, in_lounge=True),
    _row("RAISE_ALERT", {**_LOUNGE, "severity": "info", "message": "look"}, in_lounge=True),
    _row("RESOLVE_ALERT", {"alert_id": "far alert"}, in_lounge=True),
    _row("ROTATE_SECRET_REF", _TOKEN, changes=False),
)
"""More rows. Most of them change nothing or act on the lounge."""
