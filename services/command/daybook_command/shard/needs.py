"""Lists what must be looked up for a batch, from its commands and the shard's memory.

Also says whether reservations of chosen ids can be trusted. After a loss or a restore of PostgreSQL, reservations may
be missing until every partition is projected up to its end at the shard's takeover (docs/log.md, rule 18).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet

from daybook_command.domain.references import ChildKind, ChildRef, ChosenId, with_alerts
from daybook_command.domain.state import Org
from daybook_command.shard.intake import OwnCommand, SentCommand, TakenCommand
from daybook_command.shard.memory import Memory
from daybook_command.shard.snapshot import Needs, OrgNeeds
from daybook_contracts.entries.identity import Identity
from daybook_contracts.senders.principals import Service


def needs_of(taken: Sequence[TakenCommand], memory: Memory, doomed: AbstractSet[int] = frozenset()) -> Needs:
    """Every id, org, child and user that the decisions on these commands may need. Of the commands at the places
    `doomed`, which will be refused, only earlier entries are needed.
    """
    by_org: defaultdict[str, list[SentCommand | OwnCommand]] = defaultdict(list)
    identities: list[Identity] = []
    users: set[str] = set()
    chosen: list[tuple[str, str, str]] = []
    for place, item in enumerate(taken):
        if not isinstance(item, SentCommand | OwnCommand):
            continue
        identities += item.identities
        if place in doomed:
            continue
        if item.command.org_id is not None:
            by_org[item.command.org_id].append(item)
        if item.command.actor_user_id is not None:
            users.add(item.command.actor_user_id)
        users.update(item.named.users)
        chosen_id = id_to_reserve(item)
        if chosen_id is not None:
            chosen.append((*chosen_id, item.command.key))
    return Needs(
        identities=tuple(identities),
        orgs=tuple([_org_needs(org_id, by_org[org_id], memory) for org_id in sorted(by_org)]),
        users=tuple(sorted(users)),
        chosen_ids=tuple(chosen),
        next_offsets=bool(memory.awaited),
    )


def _org_needs(org_id: str, asked: Sequence[SentCommand | OwnCommand], memory: Memory) -> OrgNeeds:
    cached = memory.cache.get(org_id)
    org = None if cached is None else cached.org
    named = {ref for item in asked for ref in item.named.refs()}
    filters = [item.named.filter for item in asked if item.named.filter and not memory.is_outsider(item.command)]
    return OrgNeeds(
        org_id=org_id,
        generation=None if cached is None else cached.generation,
        named=with_alerts(named if org is None else named | _parents(org, named)),
        touched=memory.tail.touched.get(org_id, {}).keys(),
        known_activities=_connections_with_activity(org) if org is not None and named else frozenset(),
        filtered=filters[0] if filters else None,
    )


def _parents(org: Org, named: Iterable[ChildRef]) -> set[ChildRef]:
    """The connections of the named runs and dead letters in memory, which are perhaps not projected yet."""
    children = [org.runs.get(ref.id) if ref.kind is ChildKind.RUN else org.dead_letters.get(ref.id) for ref in named]
    return {ChildRef(ChildKind.CONNECTION, child.connection_id) for child in children if child is not None}


def _connections_with_activity(org: Org) -> frozenset[str]:
    return frozenset([id_ for id_, connection in org.connections.items() if connection.activity is not None])


def still_awaited(awaited: Mapping[int, int], next_offsets: Mapping[int, int]) -> dict[int, int]:
    """The partitions whose checkpoint has not reached the awaited end yet."""
    return {partition: end for partition, end in awaited.items() if next_offsets.get(partition, 0) < end}


def id_to_reserve(item: TakenCommand) -> ChosenId | None:
    """The id that the command chooses, and its table; None if it chooses none, or if its sender is not a service. The
    look-up reserves the id for ever, so only services may choose ids.
    """
    if isinstance(item, SentCommand) and isinstance(item.principal, Service):
        return item.named.chosen
    return None
