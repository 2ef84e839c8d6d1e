"""Copies a partition's folded rows from disk into the shadow tables, with one binary COPY for each table. Memory is
bounded.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from struct import Struct
from typing import Any, Final

from daybook_infra.runtime.postgres.connections import Connection
from daybook_projector.audit.fold.fold import PartitionFold
from daybook_projector.projections.changes import Table
from daybook_projector.rebuild.shadow_tables import ShadowTables

CHUNK_BYTES: Final = 64 * 1024
"""A chunk is sent when it has at least this size. Its last row may add up to 256 KiB more."""

_HEADER: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TRAILER: Final = b"\xff\xff"
_COUNT: Final = Struct(">h")
_LENGTH: Final = Struct(">i")
_INTEGER: Final = Struct(">ii")
_TIME: Final = Struct(">iq")
_UUID: Final = _LENGTH.pack(16)
_NULL: Final = _LENGTH.pack(-1)
_BOOLEANS: Final = (_LENGTH.pack(1) + b"\0", _LENGTH.pack(1) + b"\1")
_JSONB_VERSION: Final = b"\1"
# PostgreSQL counts microseconds from here.
_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)

Encode = Callable[[Any], bytes]


async def fill(connection: Connection, shadows: ShadowTables, fold: PartitionFold) -> None:
    for table in shadows.tables:
        schema, name = shadows.of(table).name.split(".")
        await connection.copy_to_table(
            name, schema_name=schema, columns=list(table.columns), source=_copied(table, fold), format="binary"
        )


async def _copied(table: Table, fold: PartitionFold) -> AsyncIterator[bytes]:
    yield _HEADER
    chunk = bytearray()
    for row in _encoded(table, fold):
        chunk += row
        if len(chunk) >= CHUNK_BYTES:
            yield bytes(chunk)
            chunk.clear()
    yield bytes(chunk) + _TRAILER


def _encoded(table: Table, fold: PartitionFold) -> Iterator[bytes]:
    count = _COUNT.pack(len(table.columns))
    encoders = [_ENCODERS.get(sql_type, _text) for name, sql_type in table.columns.items() if name not in table.key]
    for key, *values in fold.stored_rows(table):
        parts = [count, _UUID, key] if len(key) == 16 else [count, *_uuids(key)]
        parts += [_NULL if value is None else encode(value) for encode, value in zip(encoders, values, strict=True)]
        yield b"".join(parts)


def _uuids(key: bytes) -> list[bytes]:
    return [_UUID + key[at : at + 16] for at in range(0, len(key), 16)]


def _text(value: str) -> bytes:
    encoded = value.encode()
    return _LENGTH.pack(len(encoded)) + encoded


@lru_cache(maxsize=1024)
def _uuid(value: str) -> bytes:
    """Cached, because many rows have the same parent."""
    return _UUID + bytes.fromhex(value.replace("-", ""))


def _jsonb(value: str) -> bytes:
    encoded = value.encode()
    return _LENGTH.pack(len(encoded) + 1) + _JSONB_VERSION + encoded


def _time(value: str) -> bytes:
    return _TIME.pack(8, (datetime.fromisoformat(value) - _EPOCH) // _MICROSECOND)


def _boolean(value: object) -> bytes:
    return _BOOLEANS[bool(value)]


def _integer(value: int) -> bytes:
    return _INTEGER.pack(4, value)


_ENCODERS: Final[dict[str, Encode]] = {
    "uuid": _uuid,
    "jsonb": _jsonb,
    "timestamptz": _time,
    "boolean": _boolean,
    "integer": _integer,
}
"""By SQL type. Values of all other types are sent as text."""
