"""Reads the log from the rows of `audit_log`, in the caller's snapshot. Each row becomes the JCS bytes of its entry."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, Final, NamedTuple

import orjson

from daybook_contracts.entries.reading import loose_entry
from daybook_contracts.log.head import GENESIS, Head
from daybook_infra.runtime.postgres.connections import Connection
from daybook_projector.audit.checks.live_values import RowReader
from daybook_projector.audit.log.copy_out import Fields, copied_rows
from daybook_projector.audit.log.place import NO_OFFSET, SourceRecord
from daybook_projector.postgres.row_ids import readable_identity
from daybook_projector.projections.audit_log import AUDIT_LOG

# A comparison of jsonb never fails, even if an altered row holds another type.
SELECT: Final = """
SELECT metadata_json->'position', metadata_json->>'command_id', id, org_id, project_id, actor_user_id, action,
       entity_type, entity_id, result, metadata_json, created_at
  FROM public.audit_log
"""
OF_PARTITION: Final = f"""
{SELECT} WHERE metadata_json->'partition' = $1::jsonb AND metadata_json->'position' > $2::jsonb
         AND metadata_json->'position' <= $3::jsonb
 ORDER BY metadata_json->'position', id
"""
OF_ORG: Final = f"""
{SELECT} WHERE org_id = $1 AND metadata_json->'partition' = $2::jsonb AND metadata_json->'position' > $3::jsonb
 ORDER BY metadata_json->'position', id
"""
# jsonb sorts any other kind of value before or after all numbers.
WITHOUT_PLACE: Final = """
SELECT id::text, metadata_json->'partition' AS partition, metadata_json->'position' AS position FROM public.audit_log
 WHERE metadata_json->'partition' IS NULL OR NOT metadata_json->'partition' = ANY ($1::jsonb[])
    OR metadata_json->'position' IS NULL OR jsonb_typeof(metadata_json->'position') <> 'number'
 ORDER BY id
"""
PRESENT: Final = "SELECT id::text FROM public.audit_log WHERE id = ANY ($1::uuid[])"
END: Final = 2**53
MOST_DISPLACED: Final = 10_000
_PLACE_FIELDS: Final = 2
"""How many fields come before the columns of `audit_log`."""


class Displaced(NamedTuple):
    """A row that has the second id of its entry."""

    partition: int
    position: int
    first_id: str
    second_id: str


class TableLog:
    """Runs one statement at a time. Wrap its use in `translated`. `displaced` lists the rows read so far that have
    their entries' second ids, at most MOST_DISPLACED of them.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._read = RowReader(AUDIT_LOG).read
        self.displaced: list[Displaced] = []

    async def read(self, partition: int, after: Head, until: int = END) -> AsyncGenerator[list[SourceRecord], None]:
        """The rows that name this partition, in the order of their positions."""
        rows = copied_rows(self._connection, OF_PARTITION, str(partition), str(after.position), str(until))
        async with aclosing(rows):
            async for page in rows:
                yield [self._record(partition, fields) for fields in page]

    async def read_org(
        self, partition: int, org_id: str, after: Head = GENESIS
    ) -> AsyncGenerator[list[SourceRecord], None]:
        rows = copied_rows(self._connection, OF_ORG, org_id, str(partition), str(after.position))
        async with aclosing(rows):
            async for page in rows:
                yield [self._record(partition, fields) for fields in page]

    async def needlessly_displaced(self) -> list[Displaced]:
        """The displaced rows whose first ids no other row has."""
        rows = await self._connection.fetch(PRESENT, [each.first_id for each in self.displaced])
        present = {row[0] for row in rows}
        return [each for each in self.displaced if each.first_id not in present]

    async def rows_without_place(self, partitions: int) -> list[tuple[str, Any, Any]]:
        """The id, partition and position, as stored, of each row that is in the log of no partition."""
        rows = await self._connection.fetch(WITHOUT_PLACE, [str(number) for number in range(partitions)])
        return [(row[0], *(None if text is None else orjson.loads(text) for text in row[1:])) for row in rows]

    def _record(self, partition: int, fields: Fields) -> SourceRecord:
        live = self._read(fields[_PLACE_FIELDS:])
        value, position = live.row, _position(fields[0])
        if value is not None and _may_be_displaced(live.key, fields[1]):
            value = self._with_first_id(value, partition, position)
        fault = f"{live.odd[0].field}: {live.odd[0].found}" if live.odd else None
        return SourceRecord(partition, position, NO_OFFSET, value, fault)

    def _with_first_id(self, value: bytes, partition: int, position: int) -> bytes:
        """An entry always has its first id. Its row has the second one if another row has the first."""
        entry = loose_entry(value)
        identity = None if entry is None else readable_identity(entry)
        if entry is None or identity is None or entry.id != identity.second_id():
            return value
        first_id = identity.first_id()
        if len(self.displaced) < MOST_DISPLACED:
            self.displaced.append(Displaced(partition, position, first_id, entry.id))
        return value.replace(_id_member(entry.id), _id_member(first_id), 1)


def _may_be_displaced(id_: bytes, command_id: bytes | None) -> bool:
    """A first id begins with the first six bytes of its command's id."""
    return command_id is None or id_[:6].hex() != command_id[:13].decode().replace("-", "")


def _id_member(id_: str) -> bytes:
    # In JCS, only columns precede the id, and a quote inside a text follows a backslash. So the first match is the id.
    return b',"id":"%b"' % id_.encode()


def _position(jsonb: bytes | None) -> int:
    """The position; -1 if the value is not a position."""
    text = (jsonb or b"")[1:].decode()
    return int(text) if text.isdigit() else -1
