"""Finds the users that must be in `auth.users` before a batch can be written (docs/log.md, rule 12). Pure."""

from collections.abc import Collection, Mapping, Sequence

from msgspec import Struct

from daybook_projector.partition.entry import PartitionEntry
from daybook_projector.projections.required_users import registered_user, required_member


class RequiredUser(Struct, frozen=True, gc=False):
    """A user, and the index of the entry that first names the user, as actor or only in the rows that it changes."""

    index: int
    user_id: str
    is_actor: bool


def required_users(entries: Sequence[PartitionEntry]) -> dict[str, RequiredUser]:
    """By id, the users whom the entries name, in the order in which they are first named. Leaves out a user who is
    registered by an earlier entry, or by the entry that names the user first. A poison entry counts only for its actor.
    """
    named: dict[str, RequiredUser] = {}
    made: set[str] = set()
    for index, entry in enumerate(entries):
        if entry.columns is None:
            continue
        actor, member = entry.columns.actor_user_id, None
        if entry.fact is not None and entry.poison is None:
            member = required_member(entry.fact)
            user_id = registered_user(entry.fact)
            if user_id is not None:
                made.add(user_id)
        if actor is not None and actor not in named and actor not in made:
            named[actor] = RequiredUser(index, actor, is_actor=True)
        if member is not None and member not in named and member not in made:
            named[member] = RequiredUser(index, member, is_actor=False)
    return named


def first_absent(required: Mapping[str, RequiredUser], absent: Collection[str]) -> RequiredUser | None:
    return next((one for user_id, one in required.items() if user_id in absent), None) if absent else None
