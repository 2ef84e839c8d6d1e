"""project_members: the members of each project. An entry that changes or removes an org's member names the member's
projects.
"""

from collections.abc import Iterable

from msgspec import UNSET

from daybook_contracts.entries.facts import (
    MemberRemoved,
    MemberUpdated,
    ProjectMemberAdded,
    ProjectMemberRemoved,
    ProjectMemberUpdated,
)
from daybook_projector.projections.changes import Change, Delete, Insert, Table, Update
from daybook_projector.projections.rule import Columns, Rules

PROJECT_MEMBERS = Table(
    "public.project_members",
    key=("project_id", "user_id"),
    columns={"project_id": "uuid", "user_id": "uuid", "role": "text", "created_at": "timestamptz"},
)


def added(entry: Columns, fact: ProjectMemberAdded) -> Iterable[Change]:
    row = {"project_id": fact.project_id, "user_id": fact.user_id, "role": fact.role, "created_at": entry.created_at}
    return (Insert(PROJECT_MEMBERS, row),)


def updated(_entry: Columns, fact: ProjectMemberUpdated) -> Iterable[Change]:
    return (Update(PROJECT_MEMBERS, (fact.project_id, fact.user_id), {"role": fact.role}),)


def removed(_entry: Columns, fact: ProjectMemberRemoved) -> Iterable[Change]:
    return (Delete(PROJECT_MEMBERS, (fact.project_id, fact.user_id)),)


def org_member_lowered(_entry: Columns, fact: MemberUpdated) -> Iterable[Change]:
    """A user who becomes a viewer of the org becomes a viewer in its projects."""
    project_ids = () if fact.project_ids is UNSET else fact.project_ids
    return tuple(Update(PROJECT_MEMBERS, (project_id, fact.user_id), {"role": "viewer"}) for project_id in project_ids)


def org_member_removed(_entry: Columns, fact: MemberRemoved) -> Iterable[Change]:
    return tuple(Delete(PROJECT_MEMBERS, (project_id, fact.user_id)) for project_id in fact.project_ids)


RULES: Rules = {
    ProjectMemberAdded: added,
    ProjectMemberUpdated: updated,
    ProjectMemberRemoved: removed,
    MemberUpdated: org_member_lowered,
    MemberRemoved: org_member_removed,
}
