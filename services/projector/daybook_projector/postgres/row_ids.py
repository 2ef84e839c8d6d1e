"""The ids of entries' rows in `audit_log`: the first id, or the second if another entry's row has the first
(docs/log.md, rule 19). Needed only after a batch has failed because an id is taken.
"""

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from daybook_contracts.entries.entry import VERSION, Entry, Metadata, identity_of
from daybook_contracts.entries.identity import Identity
from daybook_contracts.entries.reading import LooseEntry
from daybook_contracts.text import is_uuid
from daybook_infra.runtime.postgres.connections import Connection
from daybook_projector.partition.entry import PartitionEntry
from daybook_projector.partition.machine import PartitionStopped
from daybook_projector.projections.rule import Columns

HASHES: Final = "SELECT id::text, metadata_json->>'hash' AS hash FROM public.audit_log WHERE id = ANY ($1::uuid[])"

_METADATA: Final = msgspec.json.Decoder(Metadata)


async def row_ids(connection: Connection, partition: int, entries: Sequence[PartitionEntry]) -> list[str]:
    """One id for each entry. All entries must have columns. Raises `PartitionStopped` if an entry is in the table
    already, if other entries have both of its ids, or if its second id is needed but cannot be computed.
    """
    ids = ["" if entry.columns is None else entry.columns.id.lower() for entry in entries]
    stored = await read_entry_hashes(connection, ids)
    used, displaced = set(stored), []
    for at, entry in enumerate(entries):
        if stored.get(ids[at]) == entry.head.hash:
            raise PartitionStopped(f"{_entry_name(partition, entry)} is in audit_log already: row {ids[at]}")
        if ids[at] in used:
            displaced.append(at)
        used.add(ids[at])
    seconds = {at: _second_id(partition, entries[at]) for at in displaced}
    used.update(await read_entry_hashes(connection, seconds.values()))
    for at, second in seconds.items():
        if second in used:
            raise PartitionStopped(
                f"{_entry_name(partition, entries[at])} cannot be kept in audit_log: other rows have its ids {ids[at]} "
                f"and {second}"
            )
        used.add(second)
        ids[at] = second
    return ids


async def read_entry_hashes(connection: Connection, ids: Iterable[str]) -> dict[str, str | None]:
    """Maps the id of each existing row to the hash of its entry, or to None if the row has no hash."""
    return {row["id"]: row["hash"] for row in await connection.fetch(HASHES, list(ids))}


def _second_id(partition: int, entry: PartitionEntry) -> str:
    identity = None if entry.columns is None else readable_identity(entry.columns)
    if identity is None:
        raise PartitionStopped(
            f"{_entry_name(partition, entry)} cannot be kept in audit_log: another row has its id, and its second id "
            f"cannot be computed, because the entry cannot be read ({entry.poison})"
        )
    return identity.second_id()


def readable_identity(columns: Columns) -> Identity | None:
    """The entry's identity; None if this version of Daybook cannot read it."""
    try:
        entry = columns if isinstance(columns, Entry) else _to_entry(columns)
        identity = identity_of(entry)
    except ValueError:
        return None
    parts = [identity.key, identity.command_id, *([identity.actor] if identity.scope == "outsider" else [])]
    is_readable = entry.metadata_json.v == VERSION and all(part is not None and _is_plain(part) for part in parts)
    return identity if is_readable else None


def _to_entry(columns: LooseEntry) -> Entry:
    metadata = _METADATA.decode(columns.metadata_json)
    return Entry(
        action=columns.action,
        actor_user_id=columns.actor_user_id,
        created_at=columns.created_at,
        entity_id=columns.entity_id,
        entity_type=columns.entity_type,
        id=columns.id,
        metadata_json=metadata,
        org_id=columns.org_id,
        project_id=columns.project_id,
        result="success" if columns.result == "success" else "failure",
    )


def _is_plain(id_: str) -> bool:
    return is_uuid(id_) and id_ == id_.lower()


def _entry_name(partition: int, entry: PartitionEntry) -> str:
    return f"entry {partition}.{entry.head.position}"
