"""What a decision is given besides the org, and its result. Plain values; no rule is here."""

from collections.abc import Container
from dataclasses import dataclass

from daybook_contracts.codes import Code
from daybook_contracts.entries.entry import EntryError
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
    """An entry without what the shard adds to it: its place, time, salt and hashes. A column names only what exists
    after the command, so that its foreign key always holds.
    """

    action: str
    entity_type: str
    entity_id: str
    org_id: str | None
    project_id: str | None
    actor_user_id: str | None
    data: bytes
    """JCS"""
    fact: Fact | None = None
    """What a success says and changes; None for a failure."""
    error: EntryError | None = None
    by_policy: bool = False
    """A policy wrote it after somebody's command: its principal is Daybook, and it has no actor."""


@dataclass(frozen=True, slots=True)
class Acceptance:
    entries: tuple[NewEntry, ...]


@dataclass(frozen=True, slots=True)
class Rejection:
    """`detail`: what the code alone does not say, for the first answer only."""

    code: Code
    detail: str | None = None


Decision = Acceptance | Rejection
