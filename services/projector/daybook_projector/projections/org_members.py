"""org_members: the members of each org and their roles."""

from collections.abc import Iterable

from daybook_contracts.entries.facts import MemberAdded, MemberRemoved, MemberUpdated, OrgCreated
from daybook_projector.projections.changes import Change, Delete, Insert, Table, Update
from daybook_projector.projections.rule import Columns, Rules

ORG_MEMBERS = Table(
    "public.org_members",
    key=("org_id", "user_id"),
    columns={"org_id": "uuid", "user_id": "uuid", "role": "org_role", "created_at": "timestamptz"},
)


def org_created(entry: Columns, _fact: OrgCreated) -> Iterable[Change]:
    """The founder of an org is its owner."""
    return (_member(entry, entry.actor_user_id, "owner"),)


def added(entry: Columns, fact: MemberAdded) -> Iterable[Change]:
    return (_member(entry, fact.user_id, fact.role),)


def updated(entry: Columns, fact: MemberUpdated) -> Iterable[Change]:
    return (Update(ORG_MEMBERS, (entry.org_id, fact.user_id), {"role": fact.role}),)


def removed(entry: Columns, fact: MemberRemoved) -> Iterable[Change]:
    return (Delete(ORG_MEMBERS, (entry.org_id, fact.user_id)),)


def _member(entry: Columns, user_id: str | None, role: str) -> Insert:
    row = {"org_id": entry.org_id, "user_id": user_id, "role": role, "created_at": entry.created_at}
    return Insert(ORG_MEMBERS, row)


RULES: Rules = {OrgCreated: org_created, MemberAdded: added, MemberUpdated: updated, MemberRemoved: removed}
