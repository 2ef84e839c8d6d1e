"""`--diff`: what changed in all tables between a past state and the live one, in one snapshot."""

from collections.abc import Sequence
from contextlib import aclosing
from typing import Final

from daybook_infra.runtime.postgres.connections import translated
from daybook_projector.audit.fold.live_rows import live_rows
from daybook_projector.audit.replay.changes_since import TableDiff, table_diff
from daybook_projector.audit.replay.past_rows import PastRows
from daybook_projector.audit.verify.snapshot import AuditSnapshot
from daybook_projector.projections.auth_users import AUTH_USERS
from daybook_projector.projections.fold import AUDITED_TABLES

_OF_ORG: Final = "SELECT count(*) FROM public.audit_log WHERE org_id = $1"


async def diff_since(
    snapshot: AuditSnapshot, past: PastRows, org_id: str | None, limit: int, *, managed_users: bool
) -> Sequence[TableDiff]:
    """The changes in the order of `AUDITED_TABLES`, and last the number of new entries in `audit_log`. With `org_id`,
    users are left out, because they belong to no org. Raises `DatabaseAway`.
    """
    diffs = []
    with translated():
        for table in AUDITED_TABLES:
            if table is AUTH_USERS and (org_id is not None or not managed_users):
                continue
            async with aclosing(live_rows(snapshot.connection, table, org_id)) as live:
                diffs.append(await table_diff(table, past.rows(table), live, limit))
        diffs.append(TableDiff("audit_log", added=await _new_entries(snapshot, past, org_id)))
    return diffs


async def _new_entries(snapshot: AuditSnapshot, past: PastRows, org_id: str | None) -> int:
    if org_id is not None:
        count: int = await snapshot.connection.fetchval(_OF_ORG, org_id)
        return count - past.entries
    projected = {partition: each.head.position for partition, each in snapshot.checkpoints.items()}
    return sum(projected.get(each.partition, -1) - each.position for each in past.partitions)
