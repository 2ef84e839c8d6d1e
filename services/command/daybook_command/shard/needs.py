"""What has to be looked up for a batch: taken commands and the shard's memory in, needs out."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from daybook_command.domain.references import ChildKind, ChildRef, with_alerts
from daybook_command.domain.registry import named_by, users_named
from daybook_command.domain.state import Org
from daybook_command.shard.backlog import count_limit, filtered_by, highest_floor, is_low
from daybook_command.shard.intake import OwnCommand, SentCommand, TakenCommand
from daybook_command.shard.lookup import Needs, OrgNeeds
from daybook_command.shard.memory import Memory
from daybook_command.shard.reservations import reserves
from daybook_contracts.commands.registry import Command


def needs_of(taken: Sequence[TakenCommand], memory: Memory) -> Needs:
    """Every id, org, child and user that deciding these commands may ask for."""
    asked = [item for item in taken if isinstance(item, SentCommand | OwnCommand)]
    by_org: defaultdict[str, list[Command]] = defaultdict(list)
    for item in asked:
        if item.command.org_id is not None:
            by_org[item.command.org_id].append(item.command)
    users = {user_id for item in asked for user_id in users_named(item.command)}
    chosen = [(*chosen_id, item.command.key) for item in asked if (chosen_id := reserves(item)) is not None]
    return Needs(
        identities=tuple(identity for item in asked for identity in item.identities),
        orgs=tuple(_org_needs(org_id, by_org[org_id], memory) for org_id in sorted(by_org)),
        users=tuple(sorted(users)),
        chosen_ids=tuple(chosen),
        next_offsets=bool(memory.awaited),
    )


def _org_needs(org_id: str, commands: Sequence[Command], memory: Memory) -> OrgNeeds:
    cached = memory.cache.get(org_id)
    org = None if cached is None else cached.org
    named = frozenset[ChildRef]().union(*(named_by(command).refs() for command in commands))
    bound = highest_floor(commands)
    return OrgNeeds(
        org_id=org_id,
        generation=None if cached is None else cached.generation,
        named=named if org is None else named | with_alerts(_parents(org, named)),
        touched=memory.tail.touched.get(org_id, {}).keys(),
        known=_known(org) if org is not None and named else frozenset(),
        low=_low(org, bound) if org is not None and bound > 0 else frozenset(),
        count_limit=count_limit(commands),
        filtered=next(filter(None, (filtered_by(each) for each in commands if not memory.is_outsider(each))), None),
    )


def _parents(org: Org, named: Iterable[ChildRef]) -> Iterable[ChildRef]:
    """The connections of runs and dead letters that the tables may not have yet."""
    for ref in named:
        child = org.runs.get(ref.id) if ref.kind is ChildKind.RUN else org.dead_letters.get(ref.id)
        if child is not None:
            yield ChildRef(ChildKind.CONNECTION, child.connection_id)


def _known(org: Org) -> frozenset[str]:
    return frozenset(id_ for id_, connection in org.connections.items() if connection.activity is not None)


def _low(org: Org, bound: int) -> frozenset[str]:
    return frozenset(id_ for id_, connection in org.connections.items() if is_low(connection.activity, bound))
