"""Fetches the entries with given identities from `audit_log`. Compares all parts of an identity, not only the id."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any, Final

import asyncpg
import msgspec

from daybook_command.postgres import snapshot_sql
from daybook_command.shard.answers import is_answerable
from daybook_contracts.entries.entry import Entry, Metadata
from daybook_contracts.entries.identity import Identity
from daybook_infra.runtime.postgres.connections import Connection, Pool

FoundEntries = dict[Identity, Entry | None]
"""None for an entry that this version cannot read. An entry's `id` is always its first id, `created_at` is empty, and
`data` has only the actor that the command named.
"""

_METADATA: Final = msgspec.json.Decoder(Metadata)
_PARTS: Final = ("scope", "key", "command_id", "ordinal", "claimed_actor")


async def fetch_entries(connection: "Connection | Pool", identities: Iterable[Identity]) -> FoundEntries:
    """The entries that the table has. A row has the entry's first id or, if another entry's row has that one, its
    second id.
    """
    found: FoundEntries = {}
    at_second_id = await _fetch(connection, identities, Identity.first_id, found)
    if at_second_id:
        await _fetch(connection, at_second_id, Identity.second_id, found)
    return found


async def _fetch(
    connection: "Connection | Pool",
    identities: Iterable[Identity],
    id_of: Callable[[Identity], str],
    found: FoundEntries,
) -> list[Identity]:
    """Adds entries to `found`. Returns the identities whose id belongs to the row of another entry."""
    asked: defaultdict[str, list[Identity]] = defaultdict(list)
    for identity in identities:
        asked[id_of(identity)].append(identity)
    conflicting: list[Identity] = []
    for row in await connection.fetch(snapshot_sql.ENTRIES, list(asked)):
        for identity in asked[row["id"]]:
            if _has_identity(identity, row):
                found[identity] = _entry(row, identity)
            else:
                conflicting.append(identity)
    return conflicting


def _has_identity(identity: Identity, row: asyncpg.Record) -> bool:
    """Compares all parts, since two entries may have the same first id."""
    actor = (row["actor_user_id"] or row["claimed_actor"]) if row["scope"] == "outsider" else None
    found = (row["scope"], row["key"], actor, row["command_id"], row["ordinal"])
    return found == (identity.scope, identity.key, identity.actor, identity.command_id, str(identity.ordinal))


def _entry(row: asyncpg.Record, identity: Identity) -> Entry | None:
    columns: dict[str, Any] = {name: value for name, value in row.items() if name not in _PARTS}
    try:
        metadata = _METADATA.decode(columns.pop("metadata_json"))
    except ValueError:
        return None
    entry = Entry(**columns | {"id": identity.first_id()}, metadata_json=metadata, created_at="")
    return entry if is_answerable(entry) else None
