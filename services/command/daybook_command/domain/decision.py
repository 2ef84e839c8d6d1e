"""What a decision is made from beside the org, and what it comes to. Plain values; no rule stands here."""

from collections.abc import Container
from dataclasses import dataclass

import msgspec

from daybook_contracts.codes import Code
from daybook_contracts.senders.principals import Principal


@dataclass(frozen=True, slots=True)
class Facts:
    """What a decision may know beside the org; all of it is looked up before the decision."""

    principal: Principal
    new_id: str
    """The id of what the command makes, unless it chose one (identity.thing_id)."""
    known_users: Container[str]
    """Users known now; only those that the command names, its actor included, are ever asked for."""
    taken_ids: Container[str]
    """The id that the command chose, if another org has reserved it or holds it."""
    managed_users: bool
    beyond: int = 0
    """How many more dead letters than the org holds a bulk command's filter matches; 10001 means more."""


@dataclass(frozen=True, slots=True)
class Event:
    """One success entry, but for what the shard adds to it (position, time, hashes)."""

    action: str
    entity_type: str
    entity_id: str
    project_id: str | None
    data: msgspec.Struct
    by_policy: bool = False
    """It follows from a command of somebody else's: Daybook signs it, and nobody is its actor."""


@dataclass(frozen=True, slots=True)
class Accepted:
    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True)
class Rejected:
    """`detail`: what the code alone does not say, for the first answer only."""

    code: Code
    detail: str | None = None


Decision = Accepted | Rejected
