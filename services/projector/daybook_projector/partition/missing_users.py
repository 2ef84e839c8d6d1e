"""The users that must be in `auth.users` before a batch can be written, in log order (docs/log.md, rule 12). Pure."""

from collections.abc import Collection, Iterable, Iterator, Sequence

from msgspec import Struct

from daybook_projector.partition.entry import PartitionEntry
from daybook_projector.projections.required_users import registered_user, required_actor, required_member


class RequiredUser(Struct, frozen=True, gc=False):
    """A user whom the batch's entry `index` names, as its actor or only in the rows that it changes."""

    index: int
    user_id: str
    is_actor: bool


def required_users(entries: Sequence[PartitionEntry]) -> Iterator[RequiredUser]:
    """The users whom the entries name, except users whom the same or an earlier entry registers. Of a poison entry,
    only the actor.
    """
    made: set[str] = set()
    for index, entry in enumerate(entries):
        if entry.columns is None:
            continue
        fact = None if entry.poison else entry.fact
        user_id = registered_user(fact)
        if user_id is not None:
            made.add(user_id)
        actor, member = required_actor(entry.columns, fact), required_member(fact)
        if actor is not None and actor not in made:
            yield RequiredUser(index, actor, is_actor=True)
        if member is not None and member not in made:
            yield RequiredUser(index, member, is_actor=False)


def first_absent(required: Iterable[RequiredUser], absent: Collection[str]) -> RequiredUser | None:
    return next((one for one in required if one.user_id in absent), None) if absent else None
