"""Decides on memberships of an org. An org never loses its last owner, and a removed member leaves its projects too."""

from daybook_command.domain import rejections
from daybook_command.domain.decision import Decision, DecisionContext
from daybook_command.domain.permissions import may, towards_member
from daybook_command.domain.state import Org
from daybook_command.domain.targets import accepted
from daybook_contracts.commands.members import AddMember, RemoveMember, UpdateMember
from daybook_contracts.entries.facts import MemberAdded, MemberRemoved, MemberUpdated
from daybook_contracts.limits import ORG_MEMBERS


def add_member(command: AddMember, org: Org, context: DecisionContext) -> Decision:
    user_id, role = command.data.user_id, command.data.role
    if not may(command.type, towards_member(org, command.actor_user_id, user_id, role)):
        return rejections.FORBIDDEN
    if user_id not in context.known_users:
        return rejections.USER_NOT_FOUND
    if user_id in org.members:
        return rejections.ALREADY_MEMBER
    if len(org.members) >= ORG_MEMBERS:
        return rejections.MEMBERS_LIMIT
    return accepted(command, org, context, MemberAdded(user_id=user_id, role=role))


def update_member(command: UpdateMember, org: Org, context: DecisionContext) -> Decision:
    user_id, role = command.data.user_id, command.data.role
    present = org.members.get(user_id)
    if present is None:
        return rejections.MEMBER_NOT_FOUND
    if not may(command.type, towards_member(org, command.actor_user_id, user_id, role)):
        return rejections.FORBIDDEN
    if role == present:
        return accepted(command, org, context, MemberUpdated(user_id=user_id, role=role, changed=False))
    if _is_last_owner(org, user_id):
        return rejections.LAST_OWNER
    if role == "viewer":
        lowered = _projects_above_viewer(org, user_id)
        return accepted(command, org, context, MemberUpdated(user_id=user_id, role=role, project_ids=lowered))
    return accepted(command, org, context, MemberUpdated(user_id=user_id, role=role))


def remove_member(command: RemoveMember, org: Org, context: DecisionContext) -> Decision:
    user_id = command.data.user_id
    if user_id not in org.members:
        return rejections.MEMBER_NOT_FOUND
    if not may(command.type, towards_member(org, command.actor_user_id, user_id)):
        return rejections.FORBIDDEN
    if _is_last_owner(org, user_id):
        return rejections.LAST_OWNER
    left = _projects_of(org, user_id)
    return accepted(command, org, context, MemberRemoved(user_id=user_id, project_ids=left))


def _is_last_owner(org: Org, user_id: str) -> bool:
    return org.owners == 1 and org.members.get(user_id) == "owner"


def _projects_of(org: Org, user_id: str) -> tuple[str, ...]:
    return tuple(sorted(id_ for id_, project in org.projects.items() if user_id in project.members))


def _projects_above_viewer(org: Org, user_id: str) -> tuple[str, ...]:
    roles = ((project_id, project.members.get(user_id, "viewer")) for project_id, project in org.projects.items())
    return tuple(sorted(project_id for project_id, role in roles if role != "viewer"))
