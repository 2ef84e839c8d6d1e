"""Decides a command on an org as it stands now. Pure: no clock, no chance, no I/O; time and ids are passed in.

The order of the checks is part of the contract: actor and org, the thing acted on, rights, other things named, state.
"""

from typing import assert_never

from daybook_command.domain import rejections
from daybook_command.domain.decide_hub import decide_in_hub
from daybook_command.domain.decision import Decision, DecisionContext
from daybook_command.domain.hub_targets import HubCommand
from daybook_command.domain.members import add_member, remove_member, update_member
from daybook_command.domain.orgs import create_org, rename_org
from daybook_command.domain.project_members import add_project_member, remove_project_member, update_project_member
from daybook_command.domain.projects import create_project, rename_project
from daybook_command.domain.state import Org
from daybook_command.domain.users import register_user
from daybook_contracts.commands.members import AddMember, RemoveMember, UpdateMember
from daybook_contracts.commands.orgs import CreateOrg, RenameOrg
from daybook_contracts.commands.projects import (
    AddProjectMember,
    CreateProject,
    RemoveProjectMember,
    RenameProject,
    UpdateProjectMember,
)
from daybook_contracts.commands.registry import Command
from daybook_contracts.commands.users import RegisterUser
from daybook_contracts.senders.principals import Principal, Service

ProjectCommand = RenameProject | AddProjectMember | UpdateProjectMember | RemoveProjectMember
MembershipCommand = RenameOrg | AddMember | UpdateMember | RemoveMember | CreateProject | ProjectCommand


def decide(command: Command, org: Org | None, context: DecisionContext) -> Decision:
    """`org` is None where none has the command's `org_id`."""
    match command:
        case RegisterUser():
            return register_user(command, context)
        case CreateOrg():
            return create_org(command, org, context)
        case _:
            if org is None or not _sees(org, command.actor_user_id, context.principal):
                return rejections.ORG_NOT_FOUND
            return _decide_in_org(command, org, context)


def _sees(org: Org, actor_user_id: str | None, principal: Principal) -> bool:
    """To all but its members and the services an org does not exist."""
    if actor_user_id is None:
        return isinstance(principal, Service)
    return actor_user_id in org.members


def _decide_in_org(command: MembershipCommand | HubCommand, org: Org, context: DecisionContext) -> Decision:
    match command:
        case RenameOrg():
            return rename_org(command, org, context)
        case AddMember():
            return add_member(command, org, context)
        case UpdateMember():
            return update_member(command, org, context)
        case RemoveMember():
            return remove_member(command, org, context)
        case CreateProject():
            return create_project(command, org, context)
        case RenameProject() | AddProjectMember() | UpdateProjectMember() | RemoveProjectMember():
            return _decide_in_project(command, org, context)
        case _:
            return decide_in_hub(command, org, context)


def _decide_in_project(command: ProjectCommand, org: Org, context: DecisionContext) -> Decision:
    project = org.projects.get(command.data.project_id)
    if project is None:
        return rejections.PROJECT_NOT_FOUND
    match command:
        case RenameProject():
            return rename_project(command, org, project, context)
        case AddProjectMember():
            return add_project_member(command, org, project, context)
        case UpdateProjectMember():
            return update_project_member(command, org, project, context)
        case RemoveProjectMember():
            return remove_project_member(command, org, project, context)
        case _:
            assert_never(command)
