"""Random data for commands on users, orgs, members and projects, from the model's org."""

from collections.abc import Callable

from support.chain import Json
from support.draws import Draws

ROLES = ("owner", "admin", "member", "viewer")
PROJECT_ROLES = ("admin", "editor", "viewer")
Data = Callable[[Draws, Json], Json]


def _user(draws: Draws, org: Json) -> Json:
    return {"user_id": draws.one_of(draws.users)}


def _name(draws: Draws, org: Json) -> Json:
    return {"name": draws.name()}


def _new_member(draws: Draws, org: Json) -> Json:
    user_id = draws.one_of(draws.users) if draws.chance(0.98) else draws.id()
    return {"user_id": user_id, "role": draws.random.choices(ROLES, [1, 2, 4, 3])[0]}


def _member_role(draws: Draws, org: Json) -> Json:
    return {"user_id": draws.user(org["members"]), "role": draws.one_of(ROLES)}


def _member(draws: Draws, org: Json) -> Json:
    return {"user_id": draws.user(org["members"])}


def _rename_project(draws: Draws, org: Json) -> Json:
    return {"project_id": draws.known(org["projects"]), "name": draws.name()}


def _new_project_member(draws: Draws, org: Json) -> Json:
    role = draws.one_of(PROJECT_ROLES)
    return {"project_id": draws.known(org["projects"]), "user_id": draws.user(org["members"]), "role": role}


def _project_member(draws: Draws, org: Json) -> Json:
    project_id = draws.known(org["projects"])
    members = org["projects"].get(project_id, {"members": {}})["members"]
    return {"project_id": project_id, "user_id": draws.user(members or org["members"])}


def _project_role(draws: Draws, org: Json) -> Json:
    return {**_project_member(draws, org), "role": draws.one_of(PROJECT_ROLES)}


MEMBERSHIP_DATA: dict[str, Data] = {
    "REGISTER_USER": _user,
    "CREATE_ORG": _name,
    "RENAME_ORG": _name,
    "ADD_MEMBER": _new_member,
    "UPDATE_MEMBER": _member_role,
    "REMOVE_MEMBER": _member,
    "CREATE_PROJECT": _name,
    "RENAME_PROJECT": _rename_project,
    "ADD_PROJECT_MEMBER": _new_project_member,
    "UPDATE_PROJECT_MEMBER": _project_role,
    "REMOVE_PROJECT_MEMBER": _project_member,
}
