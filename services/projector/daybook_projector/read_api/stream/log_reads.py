"""Reads for the streams: whether a caller may follow an org's log, the entries that a client missed, and on each tick
the new entries of the followed orgs and the rights of their readers.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import asyncpg

from daybook_projector.read_api.database import ReadDatabase, ReadSnapshot
from daybook_projector.read_api.page_sql import Statement
from daybook_projector.read_api.stream.events import COLUMNS

Pair = tuple[str, str]
"""A user and an org."""

# Maximum number of rows of one read of missed entries, and of one org on one tick.
MISSED_ROWS: Final = 200
NEW_ROWS: Final = 500
# Maximum number of bytes of one tick: a larger burst could overflow the queues of clients that keep reading.
NEW_BYTES: Final = 512 * 1024
# Maximum number of bytes of one read of missed entries: the stream holds them until its client has taken them.
MISSED_BYTES: Final = 512 * 1024
_POSITION: Final = "(t.metadata_json->>'position')::bigint AS position"
LAST_ENTRY: Final = (
    "SELECT t.created_at FROM public.audit_log AS t WHERE t.org_id = $1::uuid ORDER BY t.created_at DESC LIMIT 1"
)
ENTRY_TIME: Final = "SELECT daybook.entry_time($1::uuid, $2)"
MISSED: Final = f"""
SELECT {COLUMNS}, {_POSITION} FROM public.audit_log AS t
 WHERE t.org_id = $1::uuid AND ($2::timestamptz IS NULL OR t.created_at > $2)
 ORDER BY t.created_at LIMIT {MISSED_ROWS}
"""  # noqa: S608 - names of columns and numbers
_NEW_OF_ORG: Final = f"""
SELECT t.*, {_POSITION} FROM public.audit_log AS t
 WHERE t.org_id = o.org_id AND t.created_at > o.since ORDER BY t.created_at LIMIT {NEW_ROWS}
"""  # noqa: S608 - as above
NEW: Final = f"""
SELECT {COLUMNS}, t.position FROM unnest($1::uuid[], $2::timestamptz[]) AS o (org_id, since)
CROSS JOIN LATERAL ({_NEW_OF_ORG}) AS t ORDER BY t.created_at
"""  # noqa: S608 - as above
READERS: Final = "SELECT user_id::text, org_id::text FROM daybook.log_readers($1::uuid[], $2::uuid[])"


@dataclass(frozen=True, slots=True)
class News:
    """`entries`: new entries by org. `allowed`: the pairs whose user may still read the org's log. `cut`: there are
    more entries.
    """

    entries: Mapping[str, Sequence[asyncpg.Record]]
    allowed: frozenset[Pair]
    cut: bool


async def last_entry_time(snapshot: ReadSnapshot, org_id: str) -> datetime | None:
    """None if the caller may not read the org's log. (No org's log is empty.)"""
    found: datetime | None = await snapshot.connection.fetchval(LAST_ENTRY, org_id)
    return found


async def entry_time(snapshot: ReadSnapshot, org_id: str, position: int) -> datetime | None:
    """The time of the org's last entry up to and including the position."""
    found: datetime | None = await snapshot.connection.fetchval(ENTRY_TIME, org_id, position)
    return found


async def missed_entries(
    snapshot: ReadSnapshot, org_id: str, since: datetime | None
) -> tuple[Sequence[asyncpg.Record], bool]:
    """The next entries after `since`, and whether there may be more."""
    rows, cut = await snapshot.fetch_bounded(Statement(MISSED, [org_id, since]), MISSED_BYTES)
    return rows, cut or len(rows) == MISSED_ROWS


class TickReads:
    """Reads entries with the service's login role, which sees all of them. The rights of readers come from the SQL
    function daybook.log_readers, which applies row-level security.
    """

    def __init__(self, database: ReadDatabase) -> None:
        self._database = database

    async def positions(self, partitions: Collection[int]) -> dict[int, int]:
        """Raises DatabaseAway."""
        return await self._database.checkpoints(sorted(partitions))

    async def news(self, since: Mapping[str, datetime], pairs: Collection[Pair]) -> News:
        """Reads entries and rights in one snapshot, so that users who lost the right to read the log get no entry from
        after the loss. Raises DatabaseAway.
        """
        async with self._database.own_snapshot() as snapshot:
            rows: Sequence[asyncpg.Record] = ()
            cut = False
            if since:
                rows, cut = await snapshot.fetch_bounded(Statement(NEW, [list(since), list(since.values())]), NEW_BYTES)
            allowed: frozenset[Pair] = frozenset()
            if pairs:
                users, orgs = zip(*pairs, strict=True)
                found = await snapshot.connection.fetch(READERS, users, orgs)
                allowed = frozenset((row["user_id"], row["org_id"]) for row in found)
        entries: dict[str, list[asyncpg.Record]] = {}
        for row in rows:
            entries.setdefault(str(row["org_id"]), []).append(row)
        return News(entries, allowed, cut or any(len(each) == NEW_ROWS for each in entries.values()))
