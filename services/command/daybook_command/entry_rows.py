"""Entries back from `audit_log`: ids in, the log's own shapes out."""

from collections.abc import Sequence
from typing import Final

import asyncpg
import msgspec

from daybook_command import snapshot_sql
from daybook_command.shard.answers import is_answerable
from daybook_contracts.entries import Entry, Metadata
from daybook_infra.postgres import Connection, Pool

_METADATA: Final = msgspec.json.Decoder(Metadata)


async def fetch_entries(connection: "Connection | Pool", entry_ids: Sequence[str]) -> dict[str, Entry | None]:
    """Those that are there; None for one that this version cannot read. `created_at` is left empty."""
    return {row["id"]: _entry(row) for row in await connection.fetch(snapshot_sql.ENTRIES, entry_ids)}


def _entry(row: asyncpg.Record) -> Entry | None:
    columns = dict(row)
    try:
        metadata = _METADATA.decode(columns.pop("metadata_json"))
    except ValueError:
        return None
    entry = Entry(**columns, metadata_json=metadata, created_at="")
    return entry if is_answerable(entry) else None
