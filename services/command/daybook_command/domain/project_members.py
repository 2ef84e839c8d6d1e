"""Decides on memberships of a project. Only members of the org can be in one, its viewers as viewers."""

from daybook_command.domain import rejections
from daybook_command.domain.decision import Decision, DecisionContext
from daybook_command.domain.permissions import exceeds_cap, in_project, may, towards_user
from daybook_command.domain.state import Org, Project
from daybook_command.domain.targets import accepted
from daybook_contracts.commands.projects import AddProjectMember, RemoveProjectMember, UpdateProjectMember
from daybook_contracts.entries.facts import ProjectMemberAdded, ProjectMemberRemoved, ProjectMemberUpdated


def add_project_member(command: AddProjectMember, org: Org, project: Project, context: DecisionContext) -> Decision:
    data = command.data
    if not may(command.type, in_project(org, project, command.actor_user_id)):
        return rejections.FORBIDDEN
    if exceeds_cap(org, data.user_id, data.role):
        return rejections.ORG_VIEWER
    if data.user_id not in org.members:
        return rejections.MEMBER_NOT_FOUND
    if data.user_id in project.members:
        return rejections.ALREADY_PROJECT_MEMBER
    added = ProjectMemberAdded(project_id=data.project_id, user_id=data.user_id, role=data.role)
    return accepted(command, org, context, added)


def update_project_member(
    command: UpdateProjectMember, org: Org, project: Project, context: DecisionContext
) -> Decision:
    project_id, user_id, role = command.data.project_id, command.data.user_id, command.data.role
    present = project.members.get(user_id)
    if present is None:
        return rejections.PROJECT_MEMBER_NOT_FOUND
    if not may(command.type, in_project(org, project, command.actor_user_id)):
        return rejections.FORBIDDEN
    if exceeds_cap(org, user_id, role):
        return rejections.ORG_VIEWER
    updated = ProjectMemberUpdated(project_id=project_id, user_id=user_id, role=role)
    if role == present:
        updated = ProjectMemberUpdated(project_id=project_id, user_id=user_id, role=role, changed=False)
    return accepted(command, org, context, updated)


def remove_project_member(
    command: RemoveProjectMember, org: Org, project: Project, context: DecisionContext
) -> Decision:
    project_id, user_id, actor = command.data.project_id, command.data.user_id, command.actor_user_id
    if user_id not in project.members:
        return rejections.PROJECT_MEMBER_NOT_FOUND
    if not may(command.type, in_project(org, project, actor) | towards_user(actor, user_id)):
        return rejections.FORBIDDEN
    return accepted(command, org, context, ProjectMemberRemoved(project_id=project_id, user_id=user_id))
