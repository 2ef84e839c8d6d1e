"""Reads an org's entries from `audit_log`, in the order of the log. Each record's bytes are rebuilt from its row, so
that entries are read, and their hashes checked, as in the log itself.
"""

from typing import Any

from msgspec import Raw
from msgspec.structs import replace

from daybook_contracts.entries.reading import LooseEntry
from daybook_contracts.json.canonical import NotCanonical, canonical_bytes, parse_as_ecmascript
from daybook_contracts.log.admission import Admitted, VoidReason, admit
from daybook_contracts.log.head import Head
from daybook_infra.runtime.errors import DaybookError
from daybook_infra.runtime.postgres.connections import Connection
from daybook_projector.partition.entry import PartitionEntry, poison_if_misplaced, read_partition_entry
from daybook_projector.postgres.row_ids import hashes, readable_identity
from daybook_projector.postgres.row_writer import translated_refusals
from daybook_projector.projections.changes import FoldError

NO_OFFSET = -1
# A page of dead letters of 64 KiB takes 32 MiB.
PAGE_ENTRIES = 500

# Positions give the order of entries, and no index of audit_log has them.
CREATE = """
CREATE TEMP TABLE org_log (
    id uuid PRIMARY KEY, partition integer NOT NULL, position bigint NOT NULL, UNIQUE (position, partition)
)
"""
FIND = """
INSERT INTO pg_temp.org_log
SELECT id, (metadata_json->>'partition')::integer, (metadata_json->>'position')::bigint FROM public.audit_log AS a
 WHERE org_id = $1 AND NOT EXISTS (SELECT FROM pg_temp.org_log AS found WHERE found.id = a.id)
"""
PLACES = "SELECT partition, min(position) AS position FROM pg_temp.org_log GROUP BY partition ORDER BY partition"
PAGE = """
SELECT partition, position, id::text, org_id::text, project_id::text, actor_user_id::text, action, entity_type,
       entity_id::text, result, metadata_json::text, metadata_json->>'hash' AS hash,
       to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS created_at
  FROM pg_temp.org_log JOIN public.audit_log USING (id)
 WHERE position > $1 ORDER BY position LIMIT $2
"""
COLUMNS = (
    "id",
    "org_id",
    "project_id",
    "actor_user_id",
    "action",
    "entity_type",
    "entity_id",
    "result",
    "created_at",
)


class Unhealable(DaybookError):
    """The message names the entry or the row, and what is wrong with it."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"{reason}; nothing was changed")


class OrgLog:
    """The entries are listed in a temporary table, which ends with the connection."""

    def __init__(self, connection: Connection, org_id: str, partitions: int) -> None:
        self._connection = connection
        self._org_id = org_id
        self._partitions = partitions
        self._read_to = -1

    async def create(self) -> None:
        await self._connection.execute(CREATE)

    async def analyze(self) -> None:
        """Autovacuum ignores temporary tables, so the planner needs this."""
        await self._connection.execute("ANALYZE pg_temp.org_log")

    async def find(self) -> int:
        """List the entries that are new since the last call, and return their number."""
        try:
            with translated_refusals():
                tag = await self._connection.execute(FIND, self._org_id)
        except FoldError as error:
            raise Unhealable(f"rows of audit_log have no position: {error}") from error
        return int(tag.rpartition(" ")[2])

    async def partition(self) -> int:
        """The partition of the listed entries. Raises `Unhealable` if there are none, or if they are in several
        partitions, which have no common order.
        """
        places = await self._connection.fetch(PLACES)
        if len(places) == 1:
            partition: int = places[0]["partition"]
            return partition
        if not places:
            raise Unhealable(f"org {self._org_id} has no entries in audit_log")
        named = " and ".join(f"{place['partition']}.{place['position']}" for place in places)
        raise Unhealable(f"entries of org {self._org_id} are in more than one partition: {named}")

    async def next_page(self) -> list[PartitionEntry]:
        """The next listed entries, at most `PAGE_ENTRIES`; empty at the end."""
        rows = [dict(row) for row in await self._connection.fetch(PAGE, self._read_to, PAGE_ENTRIES)]
        if rows:
            self._read_to = rows[-1]["position"]
        await self._restore_first_ids(rows)
        return [poison_if_misplaced(_log_entry(row), row["partition"], self._partitions) for row in rows]

    async def _restore_first_ids(self, rows: list[dict[str, Any]]) -> None:
        """An entry has its first id, even if its row has the second one because another entry's row has the first. A
        row with its second id for no such reason keeps it, and fails the hash check.
        """
        displaced = [(row, first) for row in rows if (first := _displaced_from(row)) is not None]
        owners = await hashes(self._connection, [first for _, first in displaced]) if displaced else {}
        for row, first in displaced:
            if owners.get(first, row["hash"]) != row["hash"]:
                row["id"] = first


def _displaced_from(row: dict[str, Any]) -> str | None:
    """The first id, if the row has the second one."""
    metadata = Raw(row["metadata_json"].encode())
    columns = LooseEntry(**{name: row[name] for name in COLUMNS}, metadata_json=metadata)
    identity = readable_identity(columns)
    return None if identity is None or row["id"] != identity.second_id() else identity.first_id()


def _log_entry(row: dict[str, Any]) -> PartitionEntry:
    """An entry that cannot be trusted is marked as poison."""
    metadata: Any = parse_as_ecmascript(row["metadata_json"])
    head = Head(row["position"], str(metadata.get("hash")))
    try:
        value = canonical_bytes({**{name: row[name] for name in COLUMNS}, "metadata_json": metadata})
    except NotCanonical as error:
        return PartitionEntry(offset=NO_OFFSET, head=head, poison=f"no record has such a row: {error}")
    entry = read_partition_entry(NO_OFFSET, Admitted(head, value, None))
    if metadata.get("data") is None and metadata.get("salt") is None:
        return replace(entry, poison=None if row["result"] == "failure" else "it is redacted")
    if entry.poison is not None:
        return entry
    verdict = admit(Head(head.position - 1, str(metadata.get("prev"))), row["partition"], value)
    is_altered = isinstance(verdict, VoidReason)
    return replace(entry, poison=f"its row is not what was logged ({verdict})") if is_altered else entry
