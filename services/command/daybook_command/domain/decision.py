"""What a decider gets besides the command and the org, and what it returns. Plain values, no rules."""

from collections.abc import Container

from msgspec import Struct

from daybook_contracts.codes import Code
from daybook_contracts.entries.entry import EntryError
from daybook_contracts.entries.fields import Fact
from daybook_contracts.senders.principals import Principal


class DecisionContext(Struct, frozen=True, gc=False):
    """What a decider gets besides the command and the org. All of it is known before the decision."""

    principal: Principal
    new_id: str
    """The id of the thing that the command creates, unless the command chose an id (identity.thing_id)."""
    known_users: Container[str]
    """Users who exist. A decision asks only about users whom the command names, including its actor."""
    taken_ids: Container[str]
    """The id that the command chose, if another org has reserved it or uses it; otherwise empty."""
    managed_users: bool
    """Whether Daybook keeps the users itself (DAYBOOK_USERS=managed)."""
    unread_matches: int = 0
    """How many dead letters match a bulk command's filter but were not loaded into the org. 10001 means more than
    10000.
    """


class NewEntry(Struct, frozen=True, gc=False):
    """An entry before the shard adds its place, time, salt and hashes. Its id columns name only rows that exist after
    the command is applied, so its foreign keys always hold.
    """

    action: str
    entity_type: str
    entity_id: str
    org_id: str | None
    project_id: str | None
    actor_user_id: str | None
    data: bytes
    """The entry's `data` as canonical JSON (JCS)."""
    fact: Fact | None = None
    """`data` as a fact; None for a failure."""
    error: EntryError | None = None
    by_policy: bool = False
    """Whether a policy adds the entry after a sender's command. The entry's principal is then Daybook, and it has no
    actor."""


class Acceptance(Struct, frozen=True, gc=False):
    entries: tuple[NewEntry, ...]


class Rejection(Struct, frozen=True, gc=False):
    """`detail` is more specific than the standard text of the code. Only the first answer has it. The entry keeps the
    standard text, so later answers to the same command have that.
    """

    code: Code
    detail: str | None = None


Decision = Acceptance | Rejection
