"""Streams a query's rows out of PostgreSQL by binary COPY: a query in, pages of raw fields out.

COPY is faster than a cursor, and its binary form shows values as they are stored: every microsecond, both infinities.
The reader's pace is the server's pace, so memory is bounded.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from struct import Struct
from typing import Final

from daybook_infra.runtime.postgres.connections import Connection

Fields = tuple[bytes | None, ...]

# One message of COPY holds one row; asyncpg hands over what it has read.
_WAITING_CHUNKS: Final = 4
_SIGNATURE: Final = b"PGCOPY\n\xff\r\n\0"
_HEADER_BYTES: Final = len(_SIGNATURE) + 8
_COUNT: Final = Struct(">h")
_LENGTH: Final = Struct(">i")
_END: Final = -1
_NULL: Final = -1


async def copied_rows(connection: Connection, query: str, *arguments: object) -> AsyncIterator[list[Fields]]:
    """The rows of a SELECT, in pages. Nothing else may use the connection meanwhile. Wrap it in `translated`."""
    chunks: asyncio.Queue[bytes | None] = asyncio.Queue(_WAITING_CHUNKS)

    async def copy() -> None:
        try:
            await connection.copy_from_query(query, *arguments, output=chunks.put, format="binary")
        finally:
            await chunks.put(None)

    copying = asyncio.create_task(copy())
    rest = b""
    is_begun = False
    try:
        while (chunk := await chunks.get()) is not None:
            rest += chunk
            if not is_begun:
                if len(rest) < _HEADER_BYTES:
                    continue
                rest, is_begun = rest[_HEADER_BYTES:], True
            rows, rest = _split(rest)
            if rows:
                yield rows
        await copying
    finally:
        copying.cancel()
        with suppress(asyncio.CancelledError):
            await copying


def _split(data: bytes) -> tuple[list[Fields], bytes]:
    """The whole rows at the beginning, and the rest."""
    rows: list[Fields] = []
    start, length = 0, len(data)
    while (row := _row_at(data, start, length)) is not None:
        fields, start = row
        if fields is not None:
            rows.append(fields)
    return rows, data[start:]


def _row_at(data: bytes, at: int, length: int) -> tuple[Fields | None, int] | None:
    """A row and where the next one begins; no fields for the trailer; None if the row is not whole."""
    if at + 2 > length:
        return None
    (count,) = _COUNT.unpack_from(data, at)
    at += 2
    if count == _END:
        return None, at
    fields: list[bytes | None] = []
    for _ in range(count):
        if at + 4 > length:
            return None
        (size,) = _LENGTH.unpack_from(data, at)
        at += 4
        if size == _NULL:
            fields.append(None)
            continue
        if at + size > length:
            return None
        fields.append(data[at : at + size])
        at += size
    return tuple(fields), at
