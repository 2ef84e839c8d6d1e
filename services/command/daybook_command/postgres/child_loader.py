"""Loads the runs, dead letters, alerts and activities that a batch needs: those that its needs name, and those that
policies need in addition. The caller's transaction must be a snapshot.
"""

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet

import asyncpg

from daybook_command.domain.children import Children
from daybook_command.domain.dead_letters import DeadLetter
from daybook_command.domain.references import RULES, ChildKind, ChildRef
from daybook_command.domain.syncs import Run
from daybook_command.postgres import child_sql as sql
from daybook_command.postgres.child_rows import (
    ByOrg,
    Pair,
    activity_of_row,
    alert_of_row,
    by_org,
    dead_letter_of_row,
    fetch_rows_of_orgs,
    run_of_row,
)
from daybook_command.shard.snapshot import OrgNeeds
from daybook_contracts.entries.identity import policy_alert_id
from daybook_contracts.limits import BULK_IDS, MAX_REMAINING
from daybook_infra.runtime.postgres.connections import Connection

RefsByOrg = dict[str, frozenset[ChildRef]]


async def load_children(
    connection: Connection, needs: Sequence[OrgNeeds], fresh: AbstractSet[str]
) -> dict[str, Children]:
    """The children of each org, by org id. `fresh`: the orgs that are read as a whole for this snapshot."""
    asked = {need.org_id: _refs(need, fresh) for need in needs}
    if not any(asked.values()) and all(need.filtered is None for need in needs):
        return {}
    await connection.execute(sql.FORCE_INDEX_ORDER)
    runs = by_org(await fetch_rows_of_orgs(connection, sql.RUNS, _pairs(asked, ChildKind.RUN)), run_of_row)
    letter_rows = await fetch_rows_of_orgs(connection, sql.DEAD_LETTERS, _pairs(asked, ChildKind.DEAD_LETTER))
    letters = by_org(letter_rows, dead_letter_of_row)
    unread_matches = await _add_matching(connection, needs, letters)
    connections = _pairs(asked, ChildKind.CONNECTION) | _parents(runs) | _parents(letters)
    alert_rows = await fetch_rows_of_orgs(
        connection, sql.ALERTS, _pairs(asked, ChildKind.ALERT) | _policy_alerts(connections)
    )
    alerts = by_org(alert_rows, alert_of_row)
    activity_rows = await fetch_rows_of_orgs(connection, sql.ACTIVITIES, _without_activity(connections, needs, fresh))
    activities = by_org(activity_rows, activity_of_row)
    return {
        org_id: Children(
            runs=runs.get(org_id, {}),
            dead_letters=letters.get(org_id, {}),
            alerts=alerts.get(org_id, {}),
            activities=activities.get(org_id, {}),
            unread_matches=unread_matches.get(org_id, 0),
        )
        for org_id in asked
    }


def _refs(need: OrgNeeds, fresh: AbstractSet[str]) -> frozenset[ChildRef]:
    return frozenset(need.named).union(need.touched) if need.org_id in fresh else frozenset(need.named)


def _pairs(asked: RefsByOrg, kind: ChildKind) -> set[Pair]:
    return {(org_id, ref.id) for org_id, refs in asked.items() for ref in refs if ref.kind is kind}


def _parents(found: ByOrg[Run] | ByOrg[DeadLetter]) -> set[Pair]:
    return {(org_id, child.connection_id) for org_id, children in found.items() for child in children.values()}


def _policy_alerts(connections: Iterable[Pair]) -> set[Pair]:
    return {(org_id, policy_alert_id(connection_id, rule)) for org_id, connection_id in connections for rule in RULES}


def _without_activity(connections: Iterable[Pair], needs: Iterable[OrgNeeds], fresh: AbstractSet[str]) -> list[Pair]:
    known = {need.org_id: need.known_activities for need in needs if need.org_id not in fresh}
    return [(org_id, id_) for org_id, id_ in connections if id_ not in known.get(org_id, ())]


async def _add_matching(
    connection: Connection, needs: Sequence[OrgNeeds], letters: ByOrg[DeadLetter]
) -> dict[str, int]:
    """Adds to `letters` the first dead letters that each filter matches. Returns for each org how many others match."""
    # One list for all orgs, because an id belongs to one org only.
    touched = [ref.id for need in needs for ref in need.touched if ref.kind is ChildKind.DEAD_LETTER]
    bounds = (touched, BULK_IDS, BULK_IDS + MAX_REMAINING)
    filters = [(need.org_id, need.filtered) for need in needs if need.filtered is not None]
    unlimited = [(org_id, each.connection_id) for org_id, each in filters if each.max_retry_count is None]
    rows = await _fetch_matching(connection, sql.MATCHING, unlimited, *bounds)
    limited = [(org_id, each.connection_id) for org_id, each in filters if each.max_retry_count is not None]
    limits = [each.max_retry_count for _, each in filters if each.max_retry_count is not None]
    rows += await _fetch_matching(connection, sql.RETRIED_AT_MOST, limited, *bounds, limits)
    for org_id, found in by_org(rows, dead_letter_of_row).items():
        letters.setdefault(org_id, {}).update(found)
    return {row["org_id"]: max(0, row["matching"] - BULK_IDS) for row in rows}


async def _fetch_matching(
    connection: Connection, statement: str, pairs: Sequence[Pair], *more: object
) -> list[asyncpg.Record]:
    if not pairs:
        return []
    return await connection.fetch(statement, [pair[0] for pair in pairs], [pair[1] for pair in pairs], *more)
