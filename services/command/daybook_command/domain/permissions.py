"""An actor's standings towards the thing that a command acts on, such as owner or project editor. Each handler's `may`
lists the standings that allow its command.

The standings at the moment of the decision count, not those when the command was sent.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, Protocol

from daybook_command.domain.state import Org
from daybook_contracts.commands.registry import Command
from daybook_contracts.entries.fields import ProjectRole, Role
from daybook_contracts.senders.principals import Principal, Service


class Acting(Protocol):
    """Any command."""

    @property
    def actor_user_id(self) -> str | None: ...


class Standing(StrEnum):
    """The relation of an actor to the thing that it acts on. One actor can have several standings."""

    SERVICE = "service"
    KNOWN_USER = "any known user"
    ITSELF = "the user itself"
    OWNER = "owner"
    ADMIN = "admin"
    ADMIN_ABOVE = "admin, unless `user_id` is or becomes owner or admin"
    PROJECT_ADMIN = "project admin"
    PROJECT_EDITOR = "project editor"


Standings = frozenset[Standing]

ORG_ADMINS: Final[Standings] = frozenset({Standing.OWNER, Standing.ADMIN})
PROJECT_ADMINS: Final[Standings] = ORG_ADMINS | {Standing.PROJECT_ADMIN}
EDITORS_AND_SERVICES: Final[Standings] = PROJECT_ADMINS | {Standing.PROJECT_EDITOR, Standing.SERVICE}

_NOBODY: Final[Standings] = frozenset()
_ORG_STANDINGS: Final[Mapping[Role | None, Standings]] = {
    "owner": frozenset({Standing.OWNER}),
    "admin": frozenset({Standing.ADMIN}),
}
_PROJECT_STANDINGS: Final[Mapping[ProjectRole | None, Standings]] = {
    "admin": frozenset({Standing.PROJECT_ADMIN}),
    "editor": frozenset({Standing.PROJECT_EDITOR}),
}


def is_anonymous(command: Command, principal: Principal) -> bool:
    """Whether the command lacks an actor that it needs: only a service may send a command without one."""
    return command.actor_user_id is None and not isinstance(principal, Service)


def is_outsider(command: Command, org: Org | None) -> bool:
    """Whether the command names an actor who is not a member of the org or, for a command without an org, is not the
    user on whom the command acts.
    """
    actor = command.actor_user_id
    if actor is None:
        return False
    if command.org_id is None:
        return actor != command.key
    return org is None or actor not in org.members


def org_standings(command: Acting, org: Org) -> Standings:
    if command.actor_user_id is None:
        return frozenset({Standing.SERVICE})
    return _ORG_STANDINGS.get(org.members.get(command.actor_user_id), _NOBODY)


def project_standings(command: Acting, org: Org, project_id: str) -> Standings:
    """The actor's standings in the project, which must exist, and in the org."""
    if command.actor_user_id is None:
        return org_standings(command, org)
    role = org.projects[project_id].members.get(command.actor_user_id)
    return org_standings(command, org) | _PROJECT_STANDINGS.get(role, _NOBODY)


def user_standings(command: Acting, user_id: str) -> Standings:
    if command.actor_user_id is None:
        return frozenset({Standing.SERVICE})
    return frozenset({Standing.ITSELF}) if command.actor_user_id == user_id else _NOBODY
