"""The membership rules once more, as a reader of the specification would write them: plain dicts, a rule per command,
each ending in the success's data or in a refusal. They share no code with the services.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from support.chain import Json, entry_id

LEADERS = {"owner", "admin"}
LED = {"member", "viewer"}


class Refused(Exception):
    """A rejection; it only ends the rule early."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(slots=True)
class World:
    """`orgs`: id to {name, members: user to role, projects: id to {name, members: user to role}}."""

    users: set[str] = field(default_factory=set)
    orgs: dict[str, Json] = field(default_factory=dict)


def named_project(command: Json) -> str:
    """The project that is named, or the one that CREATE_PROJECT would make."""
    named: str | None = command["data"].get("project_id")
    return named or entry_id(command["org_id"], command["id"])


def _require(right: bool, code: str = "FORBIDDEN") -> None:  # noqa: FBT001 - the condition itself is the argument
    if not right:
        raise Refused(code)


def _org(world: World, command: Json) -> Json:
    """The org, if it is there and the actor may see it; a service without an actor sees every org."""
    org = world.orgs.get(command["org_id"])
    actor = command["actor_user_id"]
    if org is None or (actor is not None and actor not in org["members"]):
        raise Refused("ORG_NOT_FOUND")
    return org


def _role(org: Json, command: Json) -> str | None:
    role: str | None = org["members"].get(command["actor_user_id"])
    return role


def _project(org: Json, command: Json) -> Json:
    _require(command["data"]["project_id"] in org["projects"], "PROJECT_NOT_FOUND")
    project: Json = org["projects"][command["data"]["project_id"]]
    return project


def _runs(org: Json, project: Json, command: Json) -> bool:
    project_role: str | None = project["members"].get(command["actor_user_id"])
    return _role(org, command) in LEADERS or project_role == "admin"


def _may_set(org: Json, command: Json, *roles: str | None) -> bool:
    """An owner may set any role; an admin only move members and viewers among those two."""
    role = _role(org, command)
    return role == "owner" or (role == "admin" and all(touched is None or touched in LED for touched in roles))


def _fits(org: Json, data: Json) -> bool:
    """An org viewer is never more than a viewer in a project."""
    return data["role"] == "viewer" or data["user_id"] not in _having(org, "viewer")


def _last_owner(org: Json, user_id: str) -> bool:
    return _having(org, "owner") == [user_id]


def _having(org: Json, role: str) -> list[str]:
    return [user for user, held in org["members"].items() if held == role]


def _unchanged(data: Json) -> Json:
    return {**data, "changed": False}


def _register_user(world: World, principal: str, command: Json) -> Json:
    data = command["data"]
    _require(command["actor_user_id"] in {None, data["user_id"]})
    if data["user_id"] in world.users:
        return _unchanged(data)
    world.users.add(data["user_id"])
    return dict(data)


def _create_org(world: World, principal: str, command: Json) -> Json:
    actor = command["actor_user_id"]
    _require(actor is None or actor in world.users, "USER_NOT_FOUND")
    _require(actor is not None)
    _require(command["org_id"] not in world.orgs, "ALREADY_EXISTS")
    name = command["data"]["name"]
    world.orgs[command["org_id"]] = {"name": name, "members": {actor: "owner"}, "projects": {}}
    return {"name": name}


def _rename_org(world: World, principal: str, command: Json) -> Json:
    org = _org(world, command)
    _require(_role(org, command) in LEADERS)
    return _rename(org, command["data"])


def _rename(thing: Json, data: Json) -> Json:
    if thing["name"] == data["name"]:
        return _unchanged(data)
    thing["name"] = data["name"]
    return dict(data)


def _add_member(world: World, principal: str, command: Json) -> Json:
    org, data = _org(world, command), command["data"]
    _require(_may_set(org, command, org["members"].get(data["user_id"]), data["role"]))
    _require(data["user_id"] in world.users, "USER_NOT_FOUND")
    _require(data["user_id"] not in org["members"], "ALREADY_MEMBER")
    org["members"][data["user_id"]] = data["role"]
    return dict(data)


def _update_member(world: World, principal: str, command: Json) -> Json:
    org, data = _org(world, command), command["data"]
    user_id, role = data["user_id"], data["role"]
    _require(user_id in org["members"], "MEMBER_NOT_FOUND")
    _require(_may_set(org, command, org["members"][user_id], role))
    if org["members"][user_id] == role:
        return _unchanged(data)
    _require(not _last_owner(org, user_id), "LAST_OWNER")
    org["members"][user_id] = role
    if role != "viewer":
        return dict(data)
    lowered = sorted(id_ for id_, made in org["projects"].items() if made["members"].get(user_id, "viewer") != "viewer")
    for project_id in lowered:
        org["projects"][project_id]["members"][user_id] = "viewer"
    return {**data, "project_ids": lowered}


def _remove_member(world: World, principal: str, command: Json) -> Json:
    org, user_id = _org(world, command), command["data"]["user_id"]
    _require(user_id in org["members"], "MEMBER_NOT_FOUND")
    _require(user_id == command["actor_user_id"] or _may_set(org, command, org["members"][user_id]))
    _require(not _last_owner(org, user_id), "LAST_OWNER")
    del org["members"][user_id]
    left = sorted(id_ for id_, made in org["projects"].items() if user_id in made["members"])
    for project_id in left:
        del org["projects"][project_id]["members"][user_id]
    return {"user_id": user_id, "project_ids": left}


def _create_project(world: World, principal: str, command: Json) -> Json:
    org, data = _org(world, command), command["data"]
    _require(_role(org, command) in LEADERS)
    _require("project_id" not in data or principal.startswith("service:"))
    project_id = named_project(command)
    _require(all(project_id not in made["projects"] for made in world.orgs.values()), "ALREADY_EXISTS")
    org["projects"][project_id] = {"name": data["name"], "members": {}}
    return {"project_id": project_id, "name": data["name"]}


def _rename_project(world: World, principal: str, command: Json) -> Json:
    org = _org(world, command)
    project = _project(org, command)
    _require(_runs(org, project, command))
    return _rename(project, command["data"])


def _add_project_member(world: World, principal: str, command: Json) -> Json:
    org, data = _org(world, command), command["data"]
    project = _project(org, command)
    _require(_runs(org, project, command) and _fits(org, data))
    _require(data["user_id"] in org["members"], "MEMBER_NOT_FOUND")
    _require(data["user_id"] not in project["members"], "ALREADY_MEMBER")
    project["members"][data["user_id"]] = data["role"]
    return dict(data)


def _update_project_member(world: World, principal: str, command: Json) -> Json:
    org, data = _org(world, command), command["data"]
    project = _project(org, command)
    _require(data["user_id"] in project["members"], "MEMBER_NOT_FOUND")
    _require(_runs(org, project, command) and _fits(org, data))
    if project["members"][data["user_id"]] == data["role"]:
        return _unchanged(data)
    project["members"][data["user_id"]] = data["role"]
    return dict(data)


def _remove_project_member(world: World, principal: str, command: Json) -> Json:
    org, data = _org(world, command), command["data"]
    project = _project(org, command)
    _require(data["user_id"] in project["members"], "MEMBER_NOT_FOUND")
    _require(data["user_id"] == command["actor_user_id"] or _runs(org, project, command))
    del project["members"][data["user_id"]]
    return dict(data)


RULES: dict[str, Callable[[World, str, Json], Any]] = {
    "REGISTER_USER": _register_user,
    "CREATE_ORG": _create_org,
    "RENAME_ORG": _rename_org,
    "ADD_MEMBER": _add_member,
    "UPDATE_MEMBER": _update_member,
    "REMOVE_MEMBER": _remove_member,
    "CREATE_PROJECT": _create_project,
    "RENAME_PROJECT": _rename_project,
    "ADD_PROJECT_MEMBER": _add_project_member,
    "UPDATE_PROJECT_MEMBER": _update_project_member,
    "REMOVE_PROJECT_MEMBER": _remove_project_member,
}
