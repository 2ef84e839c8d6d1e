"""Loads what connections have been doing: pairs of org and connection in, activities and counts by org out.
It takes no longer if a connection has a million runs or dead letters.
"""

from collections.abc import Iterable, Sequence
from hashlib import sha256

import asyncpg

from daybook_command.domain.activity import FAILURES_COUNTED, Activity
from daybook_command.domain.references import ChildKind
from daybook_command.postgres import child_sql as sql
from daybook_command.postgres.child_rows import ByOrg, Pair, by_org, fetch_asked
from daybook_command.shard.snapshot import OrgNeeds
from daybook_contracts.json.canonical import canonical_bytes, parse_as_ecmascript
from daybook_infra.runtime.postgres.connections import Connection


async def load_activities(connection: Connection, pairs: Sequence[Pair], needs: Sequence[OrgNeeds]) -> ByOrg[Activity]:
    limits = _limits(needs)
    rows = await fetch_asked(connection, sql.ACTIVITIES, pairs, FAILURES_COUNTED, max(limits.values()))
    return by_org(rows, lambda row: _activity(row, limits[row["org_id"]]))


async def count_untouched(connection: Connection, pairs: Sequence[Pair], needs: Sequence[OrgNeeds]) -> ByOrg[int]:
    """Pending dead letters of each connection, without the touched ones, counted up to its org's limit."""
    if not pairs:
        return {}
    limits = _limits(needs)
    rows = await fetch_asked(connection, sql.COUNT_UNTOUCHED, pairs, max(limits.values()), touched_letters(needs))
    return by_org(rows, lambda row: min(row["pending"], limits[row["org_id"]]))


def touched_letters(needs: Iterable[OrgNeeds]) -> list[str]:
    """The ids of touched dead letters, of all orgs together: an id belongs to one org only."""
    return [ref.id for need in needs for ref in need.touched if ref.kind is ChildKind.DEAD_LETTER]


def _limits(needs: Iterable[OrgNeeds]) -> dict[str, int]:
    """By org. The statement takes the highest of them, as a good plan needs one; each count is cut to its own."""
    return {need.org_id: need.count_limit for need in needs}


def _activity(row: asyncpg.Record, limit: int) -> Activity:
    return Activity(
        config=sha256(canonical_bytes(parse_as_ecmascript(row["config_json"]))).digest(),
        running=row["running"],
        failures=row["failures"],
        pending=min(row["pending"], limit),
        more=row["pending"] >= limit,
    )
