"""Who may do what, as one table, and what an actor is to the thing it acts on.

Rights are judged by what an actor is at the moment of the decision, never by what it was when it sent the command.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from daybook_command.domain.hub_targets import HubCommand
from daybook_command.domain.state import Alert, Connection, Org, Project
from daybook_contracts.senders.principals import Principal, Service


class Standing(StrEnum):
    """What an actor is to the thing it acts on. One actor can be several of these at once."""

    SERVICE = "service"
    KNOWN_USER = "any known user"
    ITSELF = "the user itself"
    OWNER = "owner"
    ADMIN = "admin"
    ADMIN_ABOVE = "admin, where the present and the new role are member or viewer"
    PROJECT_ADMIN = "project admin"
    PROJECT_EDITOR = "project editor"


Standings = frozenset[Standing]

NOBODY: Final[Standings] = frozenset()
A_SERVICE: Final[Standings] = frozenset({Standing.SERVICE})
A_KNOWN_USER: Final[Standings] = frozenset({Standing.KNOWN_USER})
_ITSELF: Final[Standings] = frozenset({Standing.ITSELF})
_ABOVE: Final[Standings] = frozenset({Standing.ADMIN_ABOVE})
_PROJECT_STANDINGS: Final[Mapping[str, Standings]] = {
    "admin": frozenset({Standing.PROJECT_ADMIN}),
    "editor": frozenset({Standing.PROJECT_EDITOR}),
}
_ORG_STANDINGS: Final[Mapping[str, Standings]] = {
    "owner": frozenset({Standing.OWNER}),
    "admin": frozenset({Standing.ADMIN}),
}
_LOWER_ROLES: Final = frozenset({"member", "viewer"})

_ITSELF_OR_SERVICE: Final[Standings] = frozenset({Standing.ITSELF, Standing.SERVICE})
_ORG_ADMINS: Final[Standings] = frozenset({Standing.OWNER, Standing.ADMIN})
_BY_RANK: Final[Standings] = frozenset({Standing.OWNER, Standing.ADMIN_ABOVE})
_PROJECT_ADMINS: Final[Standings] = _ORG_ADMINS | {Standing.PROJECT_ADMIN}
_EDITORS_AND_SERVICES: Final[Standings] = _PROJECT_ADMINS | {Standing.PROJECT_EDITOR, Standing.SERVICE}

MAY: Final[Mapping[str, Standings]] = {
    "REGISTER_USER": _ITSELF_OR_SERVICE,
    "CREATE_ORG": A_KNOWN_USER,
    "RENAME_ORG": _ORG_ADMINS,
    "ADD_MEMBER": _BY_RANK,
    "UPDATE_MEMBER": _BY_RANK,
    "REMOVE_MEMBER": _BY_RANK | {Standing.ITSELF},
    "CREATE_PROJECT": _ORG_ADMINS,
    "RENAME_PROJECT": _PROJECT_ADMINS,
    "ADD_PROJECT_MEMBER": _PROJECT_ADMINS,
    "UPDATE_PROJECT_MEMBER": _PROJECT_ADMINS,
    "REMOVE_PROJECT_MEMBER": _PROJECT_ADMINS | {Standing.ITSELF},
    "CREATE_CONNECTION": _PROJECT_ADMINS,
    "UPDATE_CONNECTION": _PROJECT_ADMINS,
    "ACTIVATE_CONNECTION": _PROJECT_ADMINS,
    "DEACTIVATE_CONNECTION": _PROJECT_ADMINS,
    "DELETE_CONNECTION": _PROJECT_ADMINS,
    "START_SYNC": _EDITORS_AND_SERVICES,
    "COMPLETE_SYNC": _EDITORS_AND_SERVICES,
    "FAIL_SYNC": _EDITORS_AND_SERVICES,
    "CANCEL_SYNC": _EDITORS_AND_SERVICES,
    "RECORD_DLQ_EVENT": _EDITORS_AND_SERVICES,
    "RETRY_DLQ_EVENT": _EDITORS_AND_SERVICES,
    "RESOLVE_DLQ_EVENT": _EDITORS_AND_SERVICES,
    "RETRY_DLQ_EVENTS": _EDITORS_AND_SERVICES,
    "RESOLVE_DLQ_EVENTS": _EDITORS_AND_SERVICES,
    "RAISE_ALERT": _EDITORS_AND_SERVICES,
    "RESOLVE_ALERT": _EDITORS_AND_SERVICES,
    "CREATE_SECRET_REF": _ORG_ADMINS,
    "ROTATE_SECRET_REF": _ORG_ADMINS,
    "DELETE_SECRET_REF": _ORG_ADMINS,
}


def may(type_: str, standings: Standings) -> bool:
    return not MAY[type_].isdisjoint(standings)


def towards_user(actor_user_id: str | None, user_id: str) -> Standings:
    if actor_user_id is None:
        return A_SERVICE
    return _ITSELF if actor_user_id == user_id else NOBODY


def in_org(org: Org, actor_user_id: str | None) -> Standings:
    if actor_user_id is None:
        return A_SERVICE
    return _ORG_STANDINGS.get(org.members.get(actor_user_id, ""), NOBODY)


def towards_member(org: Org, actor_user_id: str | None, user_id: str, new_role: str | None = None) -> Standings:
    """`new_role`: None where the command gives none. An admin is above members and viewers only, so not itself."""
    standings = in_org(org, actor_user_id) | towards_user(actor_user_id, user_id)
    touched = {org.members.get(user_id), new_role} - {None}
    return standings | _ABOVE if Standing.ADMIN in standings and touched <= _LOWER_ROLES else standings


def in_project(org: Org, project: Project, actor_user_id: str | None) -> Standings:
    standings = in_org(org, actor_user_id)
    if actor_user_id is None:
        return standings
    return standings | _PROJECT_STANDINGS.get(project.members.get(actor_user_id, ""), NOBODY)


def may_on(command: HubCommand, org: Org, thing: Connection | Alert) -> bool:
    """Whether the actor may do this in the project that the thing is in."""
    project = org.projects[thing.project_id]
    return may(command.type, in_project(org, project, command.actor_user_id))


def exceeds_cap(org: Org, user_id: str, project_role: str) -> bool:
    """Whether an org viewer would get more than `viewer` in a project."""
    return org.members.get(user_id) == "viewer" and project_role != "viewer"


def may_choose(id_: str | None, principal: Principal) -> bool:
    """Whether the sender may give what it makes this id (None: it chooses none), also when it acts for a user."""
    return id_ is None or isinstance(principal, Service)
