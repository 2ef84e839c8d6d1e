"""Folds one success entry into an org. Enters: the org before and the entry's data; leaves: the org after."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import assert_never, overload

import msgspec
from immutables import Map
from msgspec import UNSET

from daybook_command.domain.evolve_hub import HubChange, evolve_hub
from daybook_command.domain.state import Org, Project
from daybook_contracts.entries.facts import (
    MemberAdded,
    MemberRemoved,
    MemberUpdated,
    OrgCreated,
    OrgRenamed,
    ProjectCreated,
    ProjectMemberAdded,
    ProjectMemberRemoved,
    ProjectMemberUpdated,
    ProjectRenamed,
    UserRegistered,
)
from daybook_contracts.entries.fields import Changeable

ProjectChange = ProjectRenamed | ProjectMemberAdded | ProjectMemberUpdated | ProjectMemberRemoved
MembershipChange = OrgRenamed | MemberAdded | MemberUpdated | MemberRemoved | ProjectCreated | ProjectChange
OrgChange = MembershipChange | HubChange
Foldable = UserRegistered | OrgCreated | OrgChange


class NotFoldable(ValueError):
    """An entry that does not follow from the entries before it, or that nothing here folds."""


@overload
def evolve(org: Org, actor_user_id: str | None, data: msgspec.Struct) -> Org: ...


@overload
def evolve(org: None, actor_user_id: str | None, data: msgspec.Struct) -> Org | None: ...


def evolve(org: Org | None, actor_user_id: str | None, data: msgspec.Struct) -> Org | None:
    """`org` is None before its CREATE_ORG. Raises NotFoldable; what `decide` accepted always folds."""
    if not isinstance(data, Foldable):
        raise NotFoldable(f"{type(data).__name__} is folded by nobody")
    if isinstance(data, Changeable) and data.changed is False:
        return org
    match data:
        case UserRegistered():
            return org
        case OrgCreated():
            return _created(org, actor_user_id, data.name)
        case _:
            if org is None:
                raise NotFoldable(f"{type(data).__name__} before its org")
            return _evolve_known(org, data)


def _evolve_known(org: Org, data: OrgChange) -> Org:
    try:
        return _evolve_org(org, data)
    except KeyError as error:
        raise NotFoldable(f"{type(data).__name__} names what is not there") from error


def _created(org: Org | None, actor_user_id: str | None, name: str) -> Org:
    if org is not None or actor_user_id is None:
        raise NotFoldable("an org is created once, by a user")
    return Org(name=name, members=Map({actor_user_id: "owner"}), owners=1, projects=Map())


def _evolve_org(org: Org, data: OrgChange) -> Org:
    match data:
        case OrgRenamed():
            return replace(org, name=data.name)
        case MemberAdded():
            return _with_role(org, data.user_id, data.role)
        case MemberUpdated():
            changed = _with_role(org, data.user_id, data.role)
            return changed if data.project_ids is UNSET else _lowered(changed, data.user_id, data.project_ids)
        case MemberRemoved():
            return _without_member(org, data.user_id, data.project_ids)
        case ProjectCreated():
            return _with_project(org, data.project_id, Project(name=data.name, members=Map()))
        case ProjectRenamed() | ProjectMemberAdded() | ProjectMemberUpdated() | ProjectMemberRemoved():
            return _evolve_project(org, data)
        case _:
            return evolve_hub(org, data)


def _evolve_project(org: Org, data: ProjectChange) -> Org:
    project = org.projects[data.project_id]
    match data:
        case ProjectRenamed():
            changed = replace(project, name=data.name)
        case ProjectMemberAdded() | ProjectMemberUpdated():
            changed = replace(project, members=project.members.set(data.user_id, data.role))
        case ProjectMemberRemoved():
            changed = replace(project, members=project.members.delete(data.user_id))
        case _:
            assert_never(data)
    return _with_project(org, data.project_id, changed)


def _with_role(org: Org, user_id: str, role: str) -> Org:
    owners = org.owners + (role == "owner") - (org.members.get(user_id) == "owner")
    return replace(org, members=org.members.set(user_id, role), owners=owners)


def _with_project(org: Org, project_id: str, project: Project) -> Org:
    return replace(org, projects=org.projects.set(project_id, project))


def _lowered(org: Org, user_id: str, project_ids: Iterable[str]) -> Org:
    """The entry lists the projects where the user becomes a viewer, so that no fold searches for them."""
    projects = _in_each(org.projects, project_ids, lambda members: members.set(user_id, "viewer"))
    return replace(org, projects=projects)


def _without_member(org: Org, user_id: str, project_ids: Iterable[str]) -> Org:
    """As with `_lowered`, the entry lists the projects that the user leaves."""
    owners = org.owners - (org.members[user_id] == "owner")
    projects = _in_each(org.projects, project_ids, lambda members: members.delete(user_id))
    return replace(org, members=org.members.delete(user_id), owners=owners, projects=projects)


def _in_each(
    projects: Map[str, Project], project_ids: Iterable[str], change: Callable[[Map[str, str]], Map[str, str]]
) -> Map[str, Project]:
    for project_id in project_ids:
        project = projects[project_id]
        projects = projects.set(project_id, replace(project, members=change(project.members)))
    return projects
