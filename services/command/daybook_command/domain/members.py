"""Memberships of an org. An org always keeps an owner, and a member who is removed leaves all projects of the org."""

from collections.abc import Callable, Iterable
from typing import Final

from immutables import Map
from msgspec import UNSET
from msgspec.structs import replace

from daybook_command.domain import rejections
from daybook_command.domain.decision import DecisionContext, Rejection
from daybook_command.domain.handlers import OrgFold, OrgHandler, Ruling, Subject, Target, Thing, ThingHandler
from daybook_command.domain.permissions import Standing, Standings, org_standings, user_standings
from daybook_command.domain.projects import Project
from daybook_command.domain.references import Named
from daybook_command.domain.state import Org
from daybook_contracts.commands.members import AddMember, RemoveMember, UpdateMember
from daybook_contracts.entries.facts import MemberAdded, MemberRemoved, MemberUpdated
from daybook_contracts.entries.fields import ProjectRole, Role
from daybook_contracts.limits import ORG_MEMBERS

MemberCommand = AddMember | UpdateMember | RemoveMember


def _target(command: MemberCommand, _new_id: str, _org: Org | None) -> Target:
    return Target("org_member", command.data.user_id)


def _named(command: MemberCommand) -> Named:
    return Named(users=(command.data.user_id,))


_OWNER_OR_ADMIN_ABOVE: Final = frozenset({Standing.OWNER, Standing.ADMIN_ABOVE})
_BELOW_ADMIN: Final[frozenset[Role]] = frozenset({"member", "viewer"})


def _rights(command: MemberCommand, org: Org, *roles: Role) -> Standings:
    """`roles`: the member's present role and, if the command gives one, the new role. An admin is above members and
    viewers, but not above admins (or itself).
    """
    standings = org_standings(command, org) | user_standings(command, command.data.user_id)
    is_above = Standing.ADMIN in standings and _BELOW_ADMIN.issuperset(roles)
    return standings | {Standing.ADMIN_ABOVE} if is_above else standings


def _rights_to_add(command: AddMember, org: Org) -> Standings:
    role = command.data.role
    return _rights(command, org, role, org.members.get(command.data.user_id, role))


def _rights_to_update(command: UpdateMember, org: Org, present: Role) -> Standings:
    return _rights(command, org, present, command.data.role)


def _find_role(command: UpdateMember | RemoveMember, org: Org) -> Role | Rejection:
    return org.members.get(command.data.user_id, rejections.MEMBER_NOT_FOUND)


def add_member(command: AddMember, org: Org, context: DecisionContext) -> Ruling:
    user_id = command.data.user_id
    if user_id not in context.known_users:
        return rejections.USER_NOT_FOUND
    if user_id in org.members:
        return rejections.ALREADY_MEMBER
    if len(org.members) >= ORG_MEMBERS:
        return rejections.MEMBERS_LIMIT
    return MemberAdded(user_id=user_id, role=command.data.role)


def update_member(command: UpdateMember, org: Org, present: Role, _context: DecisionContext) -> Ruling:
    user_id, role = command.data.user_id, command.data.role
    if role == present:
        return MemberUpdated(user_id=user_id, role=role, changed=False)
    if _is_last_owner(org, present):
        return rejections.LAST_OWNER
    if role == "viewer":
        return MemberUpdated(user_id=user_id, role=role, project_ids=_projects_above_viewer(org, user_id))
    return MemberUpdated(user_id=user_id, role=role)


def remove_member(command: RemoveMember, org: Org, present: Role, _context: DecisionContext) -> Ruling:
    user_id = command.data.user_id
    if _is_last_owner(org, present):
        return rejections.LAST_OWNER
    project_ids = tuple(sorted(id_ for id_, project in org.projects.items() if user_id in project.members))
    return MemberRemoved(user_id=user_id, project_ids=project_ids)


def _is_last_owner(org: Org, role: Role) -> bool:
    return org.owners == 1 and role == "owner"


def _projects_above_viewer(org: Org, user_id: str) -> tuple[str, ...]:
    roles = ((id_, project.members.get(user_id, "viewer")) for id_, project in org.projects.items())
    return tuple(sorted(id_ for id_, role in roles if role != "viewer"))


def _with_role(org: Org, fact: MemberAdded | MemberUpdated) -> Org:
    owners = org.owners + (fact.role == "owner") - (org.members.get(fact.user_id) == "owner")
    return replace(org, members=org.members.set(fact.user_id, fact.role), owners=owners)


def _updated(org: Org, fact: MemberUpdated) -> Org:
    """The entry lists the projects in which the user becomes a viewer, so that no fold has to search for them."""
    changed = _with_role(org, fact)
    if fact.project_ids is UNSET:
        return changed
    projects = _change_members(org.projects, fact.project_ids, lambda members: members.set(fact.user_id, "viewer"))
    return replace(changed, projects=projects)


def _removed(org: Org, fact: MemberRemoved) -> Org:
    """The entry lists the projects that the user leaves."""
    owners = org.owners - (org.members[fact.user_id] == "owner")
    projects = _change_members(org.projects, fact.project_ids, lambda members: members.delete(fact.user_id))
    return replace(org, members=org.members.delete(fact.user_id), owners=owners, projects=projects)


def _change_members(
    projects: Map[str, Project],
    project_ids: Iterable[str],
    change: Callable[[Map[str, ProjectRole]], Map[str, ProjectRole]],
) -> Map[str, Project]:
    for project_id in project_ids:
        project = projects[project_id]
        projects = projects.set(project_id, replace(project, members=change(project.members)))
    return projects


_MEMBER = Subject(_target, _named)
_MEMBER_TO_UPDATE: Thing[UpdateMember, Role] = Thing(_target, _named, find=_find_role, rights=_rights_to_update)
_MEMBER_TO_REMOVE: Thing[RemoveMember, Role] = Thing(_target, _named, find=_find_role, rights=_rights)

HANDLERS: Final = (
    OrgHandler(AddMember, _OWNER_OR_ADMIN_ABOVE, _MEMBER, _rights_to_add, add_member),
    ThingHandler(UpdateMember, _OWNER_OR_ADMIN_ABOVE, _MEMBER_TO_UPDATE, update_member),
    ThingHandler(RemoveMember, _OWNER_OR_ADMIN_ABOVE | {Standing.ITSELF}, _MEMBER_TO_REMOVE, remove_member),
)
FOLDS: Final = (
    OrgFold(MemberAdded, _with_role, users=lambda fact: (fact.user_id,)),
    OrgFold(MemberUpdated, _updated),
    OrgFold(MemberRemoved, _removed),
)
