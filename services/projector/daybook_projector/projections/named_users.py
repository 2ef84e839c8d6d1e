"""Which users must be in `auth.users` before an entry's rows can be written, and which one it makes (rule 12)."""

from daybook_contracts.entries.facts import MemberAdded, ProjectMemberAdded, UserRegistered
from daybook_contracts.entries.fields import Fact
from daybook_projector.projections.rule import Columns


def actor_of(columns: Columns, fact: Fact | None) -> str | None:
    """The actor, whom the row in `audit_log` names; None also where the entry makes that user itself."""
    return None if made_user(fact) == columns.actor_user_id else columns.actor_user_id


def member_of(fact: Fact | None) -> str | None:
    """Whom the other rows newly name. Who made an org is the actor already."""
    match fact:
        case MemberAdded() | ProjectMemberAdded():
            return fact.user_id
        case _:
            return None


def made_user(fact: Fact | None) -> str | None:
    match fact:
        case UserRegistered() if fact.changed is not False:
            return fact.user_id
        case _:
            return None
