"""The batch under way, and what has to be looked up for it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from daybook_command.domain.drafts import chosen_ids, users_named
from daybook_command.shard.intake import Pending, Taken
from daybook_command.shard.messages import Answer, CommandRecord, Needs
from daybook_command.shard.orgs import OrgCache
from daybook_contracts.admission import GENESIS, Head
from daybook_contracts.principals import Service


@dataclass(slots=True)
class Flight:
    """`base` is the head it was decided on, `projected` the position that PostgreSQL had then."""

    records: list[CommandRecord] = field(default_factory=list)
    taken: list[Taken] = field(default_factory=list)
    base: Head = GENESIS
    projected: int = -1
    appends: int = 0
    answer: Answer | None = None


def needs_of(taken: Sequence[Taken], cache: OrgCache) -> Needs:
    """Every id, org and user that deciding these commands may ask for."""
    pending = [item for item in taken if isinstance(item, Pending)]
    orgs = {item.command.org_id for item in pending if item.command.org_id is not None}
    users = {user_id for item in pending for user_id in users_named(item.command)}
    # A look-up reserves chosen ids for good: nobody but a service may take them from others.
    services = [item.command for item in pending if isinstance(item.principal, Service)]
    chosen = [(table, chosen_id, command.key) for command in services for table, chosen_id in chosen_ids(command)]
    cached = ((org_id, cache.get(org_id)) for org_id in sorted(orgs))
    return Needs(
        entry_ids=tuple(item.entry_id for item in pending),
        orgs=tuple((org_id, None if copy is None else copy.generation) for org_id, copy in cached),
        users=tuple(sorted(users)),
        chosen_ids=tuple(chosen),
    )
