"""The commands that create the org of the matrix of rights, and the command of each cell.

Ids are computed from the org's id and a name, so that tests need not pass ids around.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

from support.chain import Json
from support.matrix import Actor, Cell
from support.matrix_rows import Row
from support.publisher import Send
from support.workload import SERVICE, command

ROLES: Final[Mapping[str, str]] = {
    "admin": "admin",
    "member": "member",
    "viewer": "viewer",
    "project admin": "member",
    "project editor": "member",
    "project viewer": "member",
    "other owner": "owner",
    "other admin": "admin",
    "other member": "member",
    "other viewer": "viewer",
    "web editor": "member",
}
PEOPLE: Final = ("owner", *ROLES, "stranger", "newcomer")
"""Registered users, the same in every org."""

_IN_PROJECTS: Final = (
    ("web", "project admin", "admin"),
    ("web", "project editor", "editor"),
    ("web", "project viewer", "viewer"),
    ("web", "web editor", "editor"),
    ("app", "member", "admin"),
    *(("lounge", name, "viewer") for name in ("owner", "admin", "member", "viewer")),
)
"""Every actor of the org is in web or in the lounge, so that each can leave a project."""
_CONNECTIONS: Final = ("quiet", "inactive", "busy", "backlog")


def person(name: str) -> str:
    return _id("people", name)


def _id(*names: str) -> str:
    return str(UUID(bytes=sha256("\n".join(names).encode()).digest()[:16], version=4))


@dataclass(frozen=True, slots=True)
class Scene:
    org_id: str

    def id(self, name: str) -> str:
        return person(name) if name in PEOPLE else _id(self.org_id, name)

    def founding(self, *, with_lounge: bool = False) -> list[Send]:
        """The commands that create the org, in order. A service sends them for the owner, because only services may
        choose ids. `with_lounge` adds the connection of the lounge, and its run, dead letter and alert.
        """
        steps = [("CREATE_ORG", {"name": "Acme"}), *_people(), *_hub(), *(_in_the_lounge() if with_lounge else ())]
        return [
            Send(SERVICE, command(type_, self.org_id, person("owner"), self.id(f"step {at}"), **self._data(data, {})))
            for at, (type_, data) in enumerate(steps)
        ]

    def attempt(self, cell: Cell) -> Send:
        name = _user(cell.actor)
        by = None if name is None else person(name)
        principal = SERVICE if cell.actor in {Actor.SERVICE, Actor.FOR_OWNER} else f"user:{by}"
        data = self._data(cell.row.commands[cell.variant], _seen_by(name))
        return Send(principal, command(cell.row.type, self._org_of(cell.row), by, self.id(f"attempt {cell}"), **data))

    def _org_of(self, row: Row) -> str | None:
        match row.type:
            case "REGISTER_USER":
                return None
            case "CREATE_ORG":
                return self.id("new org")
            case _:
                return self.org_id

    def _data(self, data: Json, seen: Mapping[str, str]) -> Json:
        """Replaces the scene's names by ids."""
        return {name: self._value(name, value, seen) for name, value in data.items()}

    def _value(self, name: str, value: Any, seen: Mapping[str, str]) -> Any:
        if name == "ids":
            return [self.id(each) for each in value]
        return self.id(seen.get(value, value)) if name.endswith("_id") else value


def _user(actor: Actor) -> str | None:
    match actor:
        case Actor.SERVICE:
            return None
        case Actor.FOR_OWNER:
            return "owner"
        case _:
            return actor.value


def _seen_by(name: str | None) -> Mapping[str, str]:
    """The names that `oneself` and `its project` stand for. A stranger's project is the lounge, so that it exists."""
    if name is None:
        return {}
    in_web = ("web", name) in {(project, member) for project, member, _ in _IN_PROJECTS}
    return {"oneself": name, "its project": "web" if in_web else "lounge"}


def _people() -> list[tuple[str, Json]]:
    return [
        *(("ADD_MEMBER", {"user_id": name, "role": role}) for name, role in ROLES.items()),
        *(("CREATE_PROJECT", {"project_id": name, "name": name}) for name in ("web", "app", "lounge")),
        *(
            ("ADD_PROJECT_MEMBER", {"project_id": project, "user_id": name, "role": role})
            for project, name, role in _IN_PROJECTS
        ),
    ]


def _hub() -> list[tuple[str, Json]]:
    connection = {"project_id": "web", "type": "sheets", "config": {}}
    return [
        *(("CREATE_CONNECTION", {"connection_id": name, "name": name, **connection}) for name in _CONNECTIONS),
        ("DEACTIVATE_CONNECTION", {"connection_id": "inactive"}),
        ("START_SYNC", {"connection_id": "busy", "sync_run_id": "run"}),
        ("RECORD_DLQ_EVENT", {"connection_id": "backlog", "dlq_event_id": "letter", "payload": {"n": 0}}),
        ("RAISE_ALERT", {"project_id": "web", "alert_id": "alert", "severity": "info", "message": "look"}),
        ("CREATE_SECRET_REF", {"secret_ref_id": "token", "key_name": "token", "secret_id_ref": "vault:kv/hub#TOKEN"}),
    ]


def _in_the_lounge() -> list[tuple[str, Json]]:
    project = {"project_id": "lounge"}
    return [
        ("CREATE_CONNECTION", {"connection_id": "far", "name": "far", "type": "sheets", "config": {}, **project}),
        ("START_SYNC", {"connection_id": "far", "sync_run_id": "far run"}),
        ("RECORD_DLQ_EVENT", {"connection_id": "far", "dlq_event_id": "far letter", "payload": {"n": 0}}),
        ("RAISE_ALERT", {"alert_id": "far alert", "severity": "info", "message": "look", **project}),
    ]
