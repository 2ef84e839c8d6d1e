"""Memberships of a project. Only members of the org can be members of its projects, and a viewer of the org can only be
a viewer in them.
"""

from typing import Final

from msgspec.structs import replace

from daybook_command.domain import rejections
from daybook_command.domain.decision import DecisionContext, Rejection
from daybook_command.domain.handlers import OrgFold, Ruling, Target, Thing, ThingHandler
from daybook_command.domain.permissions import PROJECT_ADMINS, Standing, Standings, user_standings
from daybook_command.domain.projects import Project, find_project, rights_in_project, with_project
from daybook_command.domain.references import Named
from daybook_command.domain.state import Org
from daybook_contracts.commands.projects import AddProjectMember, RemoveProjectMember, UpdateProjectMember
from daybook_contracts.entries.facts import ProjectMemberAdded, ProjectMemberRemoved, ProjectMemberUpdated
from daybook_contracts.entries.fields import ProjectRole

ProjectMemberCommand = AddProjectMember | UpdateProjectMember | RemoveProjectMember


def _target(command: ProjectMemberCommand, _new_id: str, _org: Org | None) -> Target:
    return Target("project_member", command.data.user_id, command.data.project_id)


def _named(command: ProjectMemberCommand) -> Named:
    return Named(users=(command.data.user_id,))


def _rights_to_remove(command: RemoveProjectMember, org: Org, project: Project) -> Standings:
    return rights_in_project(command, org, project) | user_standings(command, command.data.user_id)


def _find_project_with_member(command: UpdateProjectMember | RemoveProjectMember, org: Org) -> Project | Rejection:
    project = find_project(command, org)
    if isinstance(project, Rejection) or command.data.user_id in project.members:
        return project
    return rejections.PROJECT_MEMBER_NOT_FOUND


def add_project_member(command: AddProjectMember, org: Org, project: Project, _context: DecisionContext) -> Ruling:
    data = command.data
    if _exceeds_org_role(org, data.user_id, data.role):
        return rejections.ORG_VIEWERS_ONLY_VIEW
    if data.user_id not in org.members:
        return rejections.MEMBER_NOT_FOUND
    if data.user_id in project.members:
        return rejections.ALREADY_PROJECT_MEMBER
    return ProjectMemberAdded(project_id=data.project_id, user_id=data.user_id, role=data.role)


def update_project_member(
    command: UpdateProjectMember, org: Org, project: Project, _context: DecisionContext
) -> Ruling:
    project_id, user_id, role = command.data.project_id, command.data.user_id, command.data.role
    if _exceeds_org_role(org, user_id, role):
        return rejections.ORG_VIEWERS_ONLY_VIEW
    if role == project.members[user_id]:
        return ProjectMemberUpdated(project_id=project_id, user_id=user_id, role=role, changed=False)
    return ProjectMemberUpdated(project_id=project_id, user_id=user_id, role=role)


def remove_project_member(
    command: RemoveProjectMember, _org: Org, _project: Project, _context: DecisionContext
) -> Ruling:
    return ProjectMemberRemoved(project_id=command.data.project_id, user_id=command.data.user_id)


def _exceeds_org_role(org: Org, user_id: str, role: ProjectRole) -> bool:
    return org.members.get(user_id) == "viewer" and role != "viewer"


def _with_role(org: Org, fact: ProjectMemberAdded | ProjectMemberUpdated) -> Org:
    project = org.projects[fact.project_id]
    return with_project(org, fact.project_id, replace(project, members=project.members.set(fact.user_id, fact.role)))


def _removed(org: Org, fact: ProjectMemberRemoved) -> Org:
    project = org.projects[fact.project_id]
    return with_project(org, fact.project_id, replace(project, members=project.members.delete(fact.user_id)))


_NEW_MEMBER = Thing(_target, _named, find=find_project, rights=rights_in_project)
_MEMBER = Thing(_target, _named, find=_find_project_with_member, rights=rights_in_project)
_MEMBER_TO_REMOVE = Thing(_target, _named, find=_find_project_with_member, rights=_rights_to_remove)

HANDLERS: Final = (
    ThingHandler(AddProjectMember, PROJECT_ADMINS, _NEW_MEMBER, add_project_member),
    ThingHandler(UpdateProjectMember, PROJECT_ADMINS, _MEMBER, update_project_member),
    ThingHandler(RemoveProjectMember, PROJECT_ADMINS | {Standing.ITSELF}, _MEMBER_TO_REMOVE, remove_project_member),
)
FOLDS: Final = (
    OrgFold(ProjectMemberAdded, _with_role, users=lambda fact: (fact.user_id,)),
    OrgFold(ProjectMemberUpdated, _with_role),
    OrgFold(ProjectMemberRemoved, _removed),
)
