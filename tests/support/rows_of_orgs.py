"""From a whole org, computes what PostgreSQL would return to a shard that loads parts of the org."""

from collections.abc import Iterable

from immutables import Map
from msgspec.structs import replace

from daybook_command.domain.children import Children
from daybook_command.domain.references import ChildKind, ChildRef, PendingLetters, with_alerts
from daybook_command.domain.state import Org
from daybook_command.shard.snapshot import LoadedOrg, OrgNeeds
from daybook_contracts.limits import BULK_IDS

MAX_UNREAD_MATCHES = 10_001
"""The remaining matches are counted up to 10,000; 10,001 stands for any larger number."""


def loaded_org(whole: Org | None, need: OrgNeeds, generation: int = 0) -> LoadedOrg:
    """`whole` has all children, like an org that is folded from its first entry. A connection whose
    `activity` is None has no row of activity.
    """
    fresh = need.generation != generation
    if whole is None:
        return LoadedOrg(None, fresh, generation, quarantined=False)
    return LoadedOrg(_bare(whole) if fresh else None, fresh, generation, False, _children(whole, need, fresh=fresh))


def _bare(whole: Org) -> Org:
    connections = Map({id_: replace(each, activity=None) for id_, each in whole.connections.items()})
    return replace(whole, connections=connections, runs=Map(), dead_letters=Map(), alerts=Map())


def _children(whole: Org, need: OrgNeeds, *, fresh: bool) -> Children:
    want = {*need.named, *(need.touched if fresh else ())}
    runs = {id_: run for id_, run in whole.runs.items() if ChildRef(ChildKind.RUN, id_) in want}
    letters = {id_: each for id_, each in whole.dead_letters.items() if ChildRef(ChildKind.DEAD_LETTER, id_) in want}
    matching = [] if need.filtered is None else _matching(whole, need.filtered, need.touched)
    letters |= {id_: whole.dead_letters[id_] for id_ in matching[:BULK_IDS]}
    derived = {run.connection_id for run in runs.values()} | {each.connection_id for each in letters.values()}
    want |= with_alerts({ref for ref in want if ref.kind is ChildKind.CONNECTION} | _connections(derived))
    wanted = {ref.id: whole.connections[ref.id] for ref in want if ref.id in whole.connections}
    return Children(
        runs=runs,
        dead_letters=letters,
        alerts={id_: alert for id_, alert in whole.alerts.items() if ChildRef(ChildKind.ALERT, id_) in want},
        activities={
            id_: each.activity
            for id_, each in wanted.items()
            if each.activity is not None and (fresh or id_ not in need.known_activities)
        },
        unread_matches=min(MAX_UNREAD_MATCHES, max(0, len(matching) - BULK_IDS)),
    )


def _connections(ids: Iterable[str]) -> set[ChildRef]:
    return {ChildRef(ChildKind.CONNECTION, id_) for id_ in ids}


def _matching(whole: Org, wanted: PendingLetters, touched: Iterable[ChildRef]) -> list[str]:
    most = wanted.max_retry_count
    left_out = set(touched)
    return sorted(
        id_
        for id_, each in whole.dead_letters.items()
        if each.connection_id == wanted.connection_id
        and each.pending
        and (most is None or each.retry_count <= most)
        and ChildRef(ChildKind.DEAD_LETTER, id_) not in left_out
    )
