"""An org's entries as `audit_log` keeps them, in the order of the log: rows in, the projector's own entries out.
The bytes of each record are made again from its row, so that entries are read, and their hashes checked, as ever.
"""

from typing import Any

from msgspec import Raw
from msgspec.structs import replace

from daybook_contracts.entries.reading import LooseEntry
from daybook_contracts.json.canonical import NotCanonical, canonical_bytes, parse_as_ecmascript
from daybook_contracts.log.admission import Admitted, VoidReason, admit
from daybook_contracts.log.head import Head
from daybook_infra.runtime.postgres.connections import Connection
from daybook_projector.healing.unhealable import Unhealable
from daybook_projector.partition.entry import PartitionEntry, poison_if_misplaced, read_partition_entry
from daybook_projector.postgres.row_ids import hashes, readable_identity
from daybook_projector.postgres.row_writer import refusals
from daybook_projector.projections.changes import FoldError

NO_OFFSET = -1
# Dead letters of 64 KiB make 32 MiB of a page.
PAGE_ENTRIES = 500

# Positions order the entries whatever their times are, and no index has them.
MAKE = """
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


class OrgLog:
    """Over one connection, for as long as it is open; to be read by whoever made it."""

    def __init__(self, connection: Connection, org_id: str, partitions: int) -> None:
        self._connection = connection
        self._org_id = org_id
        self._partitions = partitions
        self._read_to = -1

    async def begin(self) -> None:
        await self._connection.execute(MAKE)

    async def settle(self) -> None:
        """Nobody else tells the planner how many there are."""
        await self._connection.execute("ANALYZE pg_temp.org_log")

    async def find(self) -> int:
        """How many entries there are that were not there the last time."""
        try:
            with refusals():
                tag = await self._connection.execute(FIND, self._org_id)
        except FoldError as error:
            raise Unhealable(f"rows of audit_log have no position: {error}") from error
        return int(tag.rpartition(" ")[2])

    async def partition(self) -> int:
        """Where the entries that were found stand. Raises `Unhealable` where none were, or not all in one partition:
        then no order of theirs is the right one.
        """
        places = await self._connection.fetch(PLACES)
        if len(places) == 1:
            partition: int = places[0]["partition"]
            return partition
        if not places:
            raise Unhealable(f"org {self._org_id} has no entries in audit_log")
        named = " and ".join(f"{place['partition']}.{place['position']}" for place in places)
        raise Unhealable(f"entries of org {self._org_id} stand in more than one partition: {named}")

    async def next_page(self) -> list[PartitionEntry]:
        """The next of the entries that were found, at most `PAGE_ENTRIES`; none at the end."""
        rows = [dict(row) for row in await self._connection.fetch(PAGE, self._read_to, PAGE_ENTRIES)]
        if rows:
            self._read_to = rows[-1]["position"]
        await self._put_first_ids(rows)
        return [poison_if_misplaced(_log_entry(row), row["partition"], self._partitions) for row in rows]

    async def _put_first_ids(self, rows: list[dict[str, Any]]) -> None:
        """Entries bear their first id, also where their row bears the second because another entry's row has the first.
        A row that bears its second id for no such reason keeps it, and is not what was logged.
        """
        displaced = [(row, first) for row in rows if (first := _displaced_from(row)) is not None]
        owners = await hashes(self._connection, [first for _, first in displaced]) if displaced else {}
        for row, first in displaced:
            if owners.get(first, row["hash"]) != row["hash"]:
                row["id"] = first


def _displaced_from(row: dict[str, Any]) -> str | None:
    """The first id of an entry whose row bears the second one."""
    metadata = Raw(row["metadata_json"].encode())
    columns = LooseEntry(**{name: row[name] for name in COLUMNS}, metadata_json=metadata)
    identity = readable_identity(columns)
    return None if identity is None or row["id"] != identity.second_id() else identity.first_id()


def _log_entry(row: dict[str, Any]) -> PartitionEntry:
    """What cannot be trusted of it comes out as poison."""
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
