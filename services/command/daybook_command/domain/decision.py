"""What a decision is given besides the org, and its result. Plain values; no rule is here."""

from collections.abc import Container
from dataclasses import dataclass

from daybook_contracts.codes import Code
from daybook_contracts.entries.fields import Fact
from daybook_contracts.senders.principals import Principal


@dataclass(frozen=True, slots=True)
class DecisionContext:
    """What a decision may know besides the org. All of it is looked up before the decision."""

    principal: Principal
    new_id: str
    """The id of what the command creates, unless it chose one (identity.thing_id)."""
    known_users: Container[str]
    """Users who exist now. Only users that the command names, its actor included, are looked up in it."""
    taken_ids: Container[str]
    """The id that the command chose, if another org has reserved it or holds it."""
    managed_users: bool
    beyond: int = 0
    """How many dead letters a bulk command's filter matches besides those in the org; 10001 means more."""


@dataclass(frozen=True, slots=True)
class NewEntry:
    """A success entry without what the shard adds to it (position, time, hashes)."""

    action: str
    entity_type: str
    entity_id: str
    project_id: str | None
    data: Fact
    by_policy: bool = False
    """A policy wrote it, after a command of somebody else: Daybook is its principal, and it has no actor."""


@dataclass(frozen=True, slots=True)
class Acceptance:
    entries: tuple[NewEntry, ...]


@dataclass(frozen=True, slots=True)
class Rejection:
    """`detail`: what the code alone does not say, for the first answer only."""

    code: Code
    detail: str | None = None


Decision = Acceptance | Rejection
