"""Decides on projects themselves: making one and naming it."""

from daybook_command.domain import rejections
from daybook_command.domain.decision import Decision, DecisionContext
from daybook_command.domain.permissions import in_org, in_project, may, may_choose
from daybook_command.domain.state import Org, Project
from daybook_command.domain.targets import accepted, is_taken
from daybook_contracts.commands.projects import CreateProject, RenameProject
from daybook_contracts.entries.facts import ProjectCreated, ProjectRenamed
from daybook_contracts.limits import ORG_PROJECTS


def create_project(command: CreateProject, org: Org, context: DecisionContext) -> Decision:
    chosen, project_id = command.data.project_id, command.data.project_id or context.new_id
    if not may(command.type, in_org(org, command.actor_user_id)):
        return rejections.FORBIDDEN
    if not may_choose(chosen, context.principal):
        return rejections.CHOSEN_ID
    if is_taken(project_id, org.projects, context):
        return rejections.ID_TAKEN
    if len(org.projects) >= ORG_PROJECTS:
        return rejections.PROJECTS_LIMIT
    return accepted(command, org, context, ProjectCreated(project_id=project_id, name=command.data.name))


def rename_project(command: RenameProject, org: Org, project: Project, context: DecisionContext) -> Decision:
    project_id, name = command.data.project_id, command.data.name
    if not may(command.type, in_project(org, project, command.actor_user_id)):
        return rejections.FORBIDDEN
    if name == project.name:
        return accepted(command, org, context, ProjectRenamed(project_id=project_id, name=name, changed=False))
    return accepted(command, org, context, ProjectRenamed(project_id=project_id, name=name))
