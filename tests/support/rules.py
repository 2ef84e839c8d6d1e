"""A second implementation, from the contract, of the rules for users, orgs, members and projects. There is one function
for each command; it returns the data of the success entry or raises Refused. It shares no code with the services.
"""

from collections.abc import Callable

from support.chain import Json
from support.world import (
    MOST,
    World,
    created_id,
    existing,
    leads_org,
    manages_project,
    may_choose,
    new_org,
    org_of,
    require,
    require_free,
    role_of,
    unchanged,
)

LED = {"member", "viewer"}
Rule = Callable[[World, str, Json], Json]
"""Takes the world, a principal and a normalised command; returns the entry's data. Raises Refused."""


def _may_set(org: Json, command: Json, *roles: str | None) -> bool:
    """An owner may give and take any role. An admin may give and take only the roles member and viewer."""
    role = role_of(org, command)
    return role == "owner" or (role == "admin" and all(touched is None or touched in LED for touched in roles))


def _fits(org: Json, data: Json) -> bool:
    """A viewer of the org can only be a viewer of its projects."""
    return data["role"] == "viewer" or data["user_id"] not in _having(org, "viewer")


def _last_owner(org: Json, user_id: str) -> bool:
    return _having(org, "owner") == [user_id]


def _having(org: Json, role: str) -> list[str]:
    return [user for user, held in org["members"].items() if held == role]


def _register_user(world: World, principal: str, command: Json) -> Json:
    data = command["data"]
    require(command["actor_user_id"] in {None, data["user_id"]})
    if data["user_id"] in world.users:
        return unchanged(data)
    world.users.add(data["user_id"])
    return dict(data)


def _create_org(world: World, principal: str, command: Json) -> Json:
    actor = command["actor_user_id"]
    require(actor is None or actor in world.users, "USER_NOT_FOUND")
    require(actor is not None)
    require(command["org_id"] not in world.orgs, "ALREADY_EXISTS")
    name = command["data"]["name"]
    world.orgs[command["org_id"]] = new_org(name, actor)
    return {"name": name}


def _rename_org(world: World, principal: str, command: Json) -> Json:
    org = org_of(world, command)
    require(leads_org(org, command))
    return _rename(org, command["data"])


def _rename(thing: Json, data: Json) -> Json:
    if thing["name"] == data["name"]:
        return unchanged(data)
    thing["name"] = data["name"]
    return dict(data)


def _add_member(world: World, principal: str, command: Json) -> Json:
    org, data = org_of(world, command), command["data"]
    require(_may_set(org, command, org["members"].get(data["user_id"]), data["role"]))
    require(data["user_id"] in world.users, "USER_NOT_FOUND")
    require(data["user_id"] not in org["members"], "ALREADY_MEMBER")
    org["members"][data["user_id"]] = data["role"]
    return dict(data)


def _update_member(world: World, principal: str, command: Json) -> Json:
    org, data = org_of(world, command), command["data"]
    user_id, role = data["user_id"], data["role"]
    require(user_id in org["members"], "MEMBER_NOT_FOUND")
    require(_may_set(org, command, org["members"][user_id], role))
    if org["members"][user_id] == role:
        return unchanged(data)
    require(not _last_owner(org, user_id), "LAST_OWNER")
    org["members"][user_id] = role
    if role != "viewer":
        return dict(data)
    lowered = sorted(id_ for id_, made in org["projects"].items() if made["members"].get(user_id, "viewer") != "viewer")
    for project_id in lowered:
        org["projects"][project_id]["members"][user_id] = "viewer"
    return {**data, "project_ids": lowered}


def _remove_member(world: World, principal: str, command: Json) -> Json:
    org, user_id = org_of(world, command), command["data"]["user_id"]
    require(user_id in org["members"], "MEMBER_NOT_FOUND")
    require(user_id == command["actor_user_id"] or _may_set(org, command, org["members"][user_id]))
    require(not _last_owner(org, user_id), "LAST_OWNER")
    del org["members"][user_id]
    left = sorted(id_ for id_, made in org["projects"].items() if user_id in made["members"])
    for project_id in left:
        del org["projects"][project_id]["members"][user_id]
    return {"user_id": user_id, "project_ids": left}


def _create_project(world: World, principal: str, command: Json) -> Json:
    org, data = org_of(world, command), command["data"]
    require(leads_org(org, command))
    require(may_choose(principal, command))
    require_free(world, command)
    require(len(org["projects"]) < MOST, "LIMIT_REACHED")
    project_id = created_id(command)
    org["projects"][project_id] = {"name": data["name"], "members": {}}
    return {"project_id": project_id, "name": data["name"]}


def _rename_project(world: World, principal: str, command: Json) -> Json:
    org, data = org_of(world, command), command["data"]
    project = existing(org, "projects", data["project_id"], "PROJECT_NOT_FOUND")
    require(manages_project(org, data["project_id"], command))
    return _rename(project, data)


def _add_project_member(world: World, principal: str, command: Json) -> Json:
    org, data = org_of(world, command), command["data"]
    project = existing(org, "projects", data["project_id"], "PROJECT_NOT_FOUND")
    require(manages_project(org, data["project_id"], command) and _fits(org, data))
    require(data["user_id"] in org["members"], "MEMBER_NOT_FOUND")
    require(data["user_id"] not in project["members"], "ALREADY_MEMBER")
    project["members"][data["user_id"]] = data["role"]
    return dict(data)


def _update_project_member(world: World, principal: str, command: Json) -> Json:
    org, data = org_of(world, command), command["data"]
    project = existing(org, "projects", data["project_id"], "PROJECT_NOT_FOUND")
    require(data["user_id"] in project["members"], "MEMBER_NOT_FOUND")
    require(manages_project(org, data["project_id"], command) and _fits(org, data))
    if project["members"][data["user_id"]] == data["role"]:
        return unchanged(data)
    project["members"][data["user_id"]] = data["role"]
    return dict(data)


def _remove_project_member(world: World, principal: str, command: Json) -> Json:
    org, data = org_of(world, command), command["data"]
    project = existing(org, "projects", data["project_id"], "PROJECT_NOT_FOUND")
    require(data["user_id"] in project["members"], "MEMBER_NOT_FOUND")
    require(data["user_id"] == command["actor_user_id"] or manages_project(org, data["project_id"], command))
    del project["members"][data["user_id"]]
    return dict(data)


MEMBERSHIP: dict[str, Rule] = {
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
