"""The users that must be in `auth.users` before an entry's rows can be written (docs/log.md, rule 12)."""

from daybook_contracts.entries.facts import MemberAdded, ProjectMemberAdded, UserRegistered
from daybook_contracts.entries.fields import Fact
from daybook_projector.projections.rule import Columns


def required_actor(columns: Columns, fact: Fact | None) -> str | None:
    """The actor, because the row in `audit_log` refers to it; None if the entry itself registers that user."""
    return None if registered_user(fact) == columns.actor_user_id else columns.actor_user_id


def required_member(fact: Fact | None) -> str | None:
    """The user to whom a new row outside `audit_log` refers. For a new org this is the actor, so None is returned."""
    match fact:
        case MemberAdded() | ProjectMemberAdded():
            return fact.user_id
        case _:
            return None


def registered_user(fact: Fact | None) -> str | None:
    match fact:
        case UserRegistered() if fact.changed is not False:
            return fact.user_id
        case _:
            return None
