"""Reads the log from the rows of `audit_log`, in the caller's snapshot. Each row becomes the JCS bytes of its entry."""

from collections.abc import AsyncIterator
from typing import Any, Final

import msgspec
import orjson

from daybook_contracts.entries.entry import Metadata
from daybook_contracts.entries.identity import Identity
from daybook_contracts.json.canonical import parse_as_ecmascript
from daybook_contracts.log.head import Head
from daybook_infra.runtime.postgres.connections import Connection
from daybook_projector.audit.checks.numbers import JsonbValue, Unhashable, read_jsonb
from daybook_projector.audit.log.binary_values import OddTime, jsonb_text, time_text, uuid_text
from daybook_projector.audit.log.copy_out import Fields, copied_rows
from daybook_projector.audit.log.place import NO_OFFSET, SourceRecord

# Comparisons of jsonb never fail, whatever stands in a row that was altered.
SELECT: Final = """
SELECT metadata_json->'position', metadata_json->>'command_id', id, org_id, project_id, actor_user_id, action,
       entity_type, entity_id, result, created_at, metadata_json
  FROM public.audit_log
"""
OF_PARTITION: Final = f"""
{SELECT} WHERE metadata_json->'partition' = $1::jsonb AND metadata_json->'position' > $2::jsonb
         AND metadata_json->'position' <= $3::jsonb
 ORDER BY metadata_json->'position', id
"""
OF_ORG: Final = f"""
{SELECT} WHERE org_id = $1 AND metadata_json->'partition' = $2::jsonb ORDER BY metadata_json->'position', id
"""
# jsonb sorts any other kind of value before or after all numbers.
WITHOUT_PLACE: Final = """
SELECT id::text, metadata_json->'partition' AS partition, metadata_json->'position' AS position FROM public.audit_log
 WHERE metadata_json->'partition' IS NULL OR NOT metadata_json->'partition' = ANY ($1::jsonb[])
    OR metadata_json->'position' IS NULL OR jsonb_typeof(metadata_json->'position') <> 'number'
 ORDER BY id
"""
END: Final = 2**53
_ID_PREFIX: Final = 13
"""The first six bytes of an entry's first id are those of its command's id."""

_METADATA: Final = msgspec.json.Decoder(Metadata)


class TableLog:
    """One statement at a time. Wrap its use in `translated`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def read(self, partition: int, after: Head, until: int = END) -> AsyncIterator[list[SourceRecord]]:
        """The rows of the partition, in the order of their positions, wherever they come from."""
        rows = copied_rows(self._connection, OF_PARTITION, str(partition), str(after.position), str(until))
        async for page in rows:
            yield [_record(partition, fields) for fields in page]

    async def read_org(self, partition: int, org_id: str) -> AsyncIterator[list[SourceRecord]]:
        async for page in copied_rows(self._connection, OF_ORG, org_id, str(partition)):
            yield [_record(partition, fields) for fields in page]

    async def rows_without_place(self, partitions: int) -> list[tuple[str, Any, Any]]:
        """Id, partition and position, as they stand, of the rows that no partition's log has."""
        rows = await self._connection.fetch(WITHOUT_PLACE, [str(number) for number in range(partitions)])
        return [(row[0], *(None if text is None else orjson.loads(text) for text in row[1:])) for row in rows]


def _record(partition: int, fields: Fields) -> SourceRecord:
    position = _position(fields[0])
    try:
        metadata = read_jsonb(jsonb_text(fields[11] or b""))
        value = orjson.dumps(_entry(fields, metadata), option=orjson.OPT_SORT_KEYS)
    except (Unhashable, OddTime) as error:
        return SourceRecord(partition, position, NO_OFFSET, None, str(error))
    fault = None if metadata.inexact is None else f"{metadata.inexact} is not exactly a double"
    return SourceRecord(partition, position, NO_OFFSET, value, fault)


def _entry(fields: Fields, metadata: JsonbValue) -> dict[str, object]:
    _, command_id, id_, org_id, project_id, actor, action, entity_type, entity_id, result, created_at, _ = fields
    entry: dict[str, object] = {
        "id": _uuid(id_),
        "org_id": _uuid(org_id),
        "project_id": _uuid(project_id),
        "actor_user_id": _uuid(actor),
        "action": (action or b"").decode(),
        "entity_type": (entity_type or b"").decode(),
        "entity_id": _uuid(entity_id),
        "result": (result or b"").decode(),
        "metadata_json": orjson.Fragment(metadata.jcs),
        "created_at": time_text(created_at or b""),
    }
    if command_id is None or str(entry["id"])[:_ID_PREFIX] != command_id.decode()[:_ID_PREFIX]:
        entry["id"] = _first_id(entry, metadata.jcs)
    return entry


def _first_id(entry: dict[str, object], metadata: bytes) -> object:
    """An entry has its first id, even where its row has the second one because another row has the first."""
    identity = _identity(entry, metadata)
    return identity.first_id() if identity is not None and entry["id"] == identity.second_id() else entry["id"]


def _identity(entry: dict[str, object], jcs: bytes) -> Identity | None:
    try:
        metadata = _METADATA.decode(jcs)
        actor = entry["actor_user_id"] or _claimed_actor(bytes(metadata.data))
        is_outsider = metadata.scope == "outsider"
        identity = Identity(
            metadata.scope, metadata.key, str(actor) if is_outsider else None, metadata.command_id, metadata.ordinal
        )
        identity.first_id()
    except ValueError:
        return None
    return identity


def _claimed_actor(data: bytes) -> object:
    found = parse_as_ecmascript(data.decode())
    return found.get("actor_user_id") if isinstance(found, dict) else None


def _position(jsonb: bytes | None) -> int:
    text = jsonb_text(jsonb or b"")
    return int(text) if text.isdigit() else -1


def _uuid(value: bytes | None) -> str | None:
    return None if value is None else uuid_text(value)
