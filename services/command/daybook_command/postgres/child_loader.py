"""Loads the runs, dead letters, alerts and activities that a batch needs: those that its needs name, those that its
filters match, and those that policies need in addition. All statements must run in one snapshot.
"""

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from typing import assert_never

from daybook_command.domain.children import Children
from daybook_command.domain.references import RULES, ChildKind, ChildRef
from daybook_command.postgres import child_sql as sql
from daybook_command.postgres.child_rows import ChildIds, ChildRows, Pair
from daybook_command.shard.snapshot import OrgNeeds
from daybook_contracts.entries.identity import policy_alert_id
from daybook_contracts.limits import BULK_IDS, MAX_REMAINING
from daybook_infra.runtime.postgres.connections import Connection


def children_to_read(needs: Sequence[OrgNeeds], fresh: AbstractSet[str], rows: ChildRows) -> ChildIds:
    """The children that the needs name. Also the activity and the policy alerts of each connection that the needs name,
    or to which a run or a dead letter in `rows` belongs. `fresh`: the orgs that are read as a whole for this snapshot.
    """
    connections, runs, dead_letters, alerts = _parents(rows), set[Pair](), set[Pair](), set[Pair]()
    for need in needs:
        for ref in _refs(need, fresh):
            pair = need.org_id, ref.id
            match ref.kind:
                case ChildKind.CONNECTION:
                    connections.add(pair)
                case ChildKind.RUN:
                    runs.add(pair)
                case ChildKind.DEAD_LETTER:
                    dead_letters.add(pair)
                case ChildKind.ALERT:
                    alerts.add(pair)
                case _:
                    assert_never(ref.kind)
    return ChildIds(
        runs=runs,
        dead_letters=dead_letters,
        alerts=alerts | _policy_alerts(connections),
        activities=_without_activity(connections, needs, fresh),
    )


async def load_children(
    connection: Connection, needs: Sequence[OrgNeeds], fresh: AbstractSet[str], rows: ChildRows
) -> dict[str, Children]:
    """The children of each org, by org id. Adds to `rows` what is still missing there."""
    while missing := children_to_read(needs, fresh, rows) - rows.asked:
        (found,) = await connection.fetch(sql.CHILDREN, *missing.arguments())
        await rows.add(missing, found)
    for row in rows.take_unhashed():
        rows.add_activity(row, await connection.fetchval(sql.CONFIG, row[1]))
    return {need.org_id: rows.children_of(need.org_id) for need in needs}


def filter_arguments(needs: Sequence[OrgNeeds]) -> dict[str, list[object]]:
    """By name, the statements of `child_sql.FILTERS` that the needs require, with their arguments."""
    filters = [(need.org_id, need.filtered) for need in needs if need.filtered is not None]
    if not filters:
        return {}
    # One list for all orgs, because an id belongs to one org only.
    touched = [ref.id for need in needs for ref in need.touched if ref.kind is ChildKind.DEAD_LETTER]
    bounds = touched, BULK_IDS, BULK_IDS + MAX_REMAINING
    unlimited = [(org_id, each.connection_id) for org_id, each in filters if each.max_retry_count is None]
    limited = [(org_id, each.connection_id) for org_id, each in filters if each.max_retry_count is not None]
    limits = [each.max_retry_count for _, each in filters if each.max_retry_count is not None]
    arguments: dict[str, list[object]] = {}
    if unlimited:
        arguments["matching"] = [*map(list, zip(*unlimited, strict=True)), *bounds]
    if limited:
        arguments["retried_at_most"] = [*map(list, zip(*limited, strict=True)), *bounds, limits]
    return arguments


def _refs(need: OrgNeeds, fresh: AbstractSet[str]) -> Iterable[ChildRef]:
    return {*need.named, *need.touched} if need.org_id in fresh else need.named


def _parents(rows: ChildRows) -> set[Pair]:
    """The connections of the runs and dead letters that were found."""
    of_runs = {(org_id, run.connection_id) for org_id, runs in rows.runs.items() for run in runs.values()}
    of_letters = {
        (org_id, each.connection_id) for org_id, found in rows.dead_letters.items() for each in found.values()
    }
    return of_runs | of_letters


def _policy_alerts(connections: Iterable[Pair]) -> set[Pair]:
    return {(org_id, policy_alert_id(connection_id, rule)) for org_id, connection_id in connections for rule in RULES}


def _without_activity(connections: Iterable[Pair], needs: Iterable[OrgNeeds], fresh: AbstractSet[str]) -> set[Pair]:
    known = {need.org_id: need.known_activities for need in needs if need.org_id not in fresh}
    return {(org_id, id_) for org_id, id_ in connections if id_ not in known.get(org_id, ())}
