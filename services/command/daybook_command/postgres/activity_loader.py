"""Loads the activities of connections, and counts their dead letters. The time does not depend on how many runs and
dead letters a connection has.
"""

from collections.abc import Iterable, Sequence
from hashlib import sha256

import asyncpg

from daybook_command.domain.activity import FAILURES_COUNTED, Activity
from daybook_command.domain.references import ChildKind
from daybook_command.postgres import child_sql as sql
from daybook_command.postgres.child_rows import ByOrg, Pair, by_org, fetch_rows_of_orgs
from daybook_command.shard.snapshot import OrgNeeds
from daybook_contracts.json.canonical import canonical_bytes, parse_as_ecmascript
from daybook_infra.runtime.postgres.connections import Connection


async def load_activities(connection: Connection, pairs: Sequence[Pair], needs: Sequence[OrgNeeds]) -> ByOrg[Activity]:
    limits = _limits(needs)
    rows = await fetch_rows_of_orgs(connection, sql.ACTIVITIES, pairs, FAILURES_COUNTED, max(limits.values()))
    return by_org(rows, lambda row: _activity(row, limits[row["org_id"]]))


async def count_untouched(connection: Connection, pairs: Sequence[Pair], needs: Sequence[OrgNeeds]) -> ByOrg[int]:
    """How many pending dead letters each connection has, not counting the touched ones. Counting stops at the limit of
    the org.
    """
    if not pairs:
        return {}
    limits = _limits(needs)
    touched = touched_letter_ids(needs)
    rows = await fetch_rows_of_orgs(connection, sql.COUNT_UNTOUCHED, pairs, max(limits.values()), touched)
    return by_org(rows, lambda row: min(row["pending"], limits[row["org_id"]]))


def touched_letter_ids(needs: Iterable[OrgNeeds]) -> list[str]:
    """The ids of the touched dead letters of all orgs in one list, because an id belongs to one org only."""
    return [ref.id for need in needs for ref in need.touched if ref.kind is ChildKind.DEAD_LETTER]


def _limits(needs: Iterable[OrgNeeds]) -> dict[str, int]:
    """The count limit of each org. The statement gets only the highest limit, because a good plan needs a single one.
    Each count is then cut to the limit of its org.
    """
    return {need.org_id: need.count_limit for need in needs}


def _activity(row: asyncpg.Record, limit: int) -> Activity:
    return Activity(
        config=sha256(canonical_bytes(parse_as_ecmascript(row["config_json"]))).digest(),
        running=row["running"],
        failures=row["failures"],
        pending=min(row["pending"], limit),
        pending_is_lower_bound=row["pending"] >= limit,
    )
