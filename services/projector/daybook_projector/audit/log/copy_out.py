"""Streams a query's rows out of PostgreSQL by binary COPY: a query in, pages of raw fields out.

COPY is faster than a cursor, and its binary form shows values as they are stored: every microsecond, both infinities.
The server sends no faster than the caller reads, so memory is bounded.
"""

import asyncio
from collections.abc import AsyncGenerator
from struct import Struct
from typing import Final

from daybook_infra.runtime.postgres.connections import Connection

Fields = tuple[bytes | None, ...]

# How many chunks may wait for the caller. A chunk is all that asyncpg has read so far: usually many rows.
_WAITING_CHUNKS: Final = 4
_SIGNATURE: Final = b"PGCOPY\n\xff\r\n\0"
_HEADER_BYTES: Final = len(_SIGNATURE) + 8
_COUNT: Final = Struct(">h")
_LENGTH: Final = Struct(">i")
_END: Final = -1
_NULL: Final = -1


async def copied_rows(connection: Connection, query: str, *arguments: object) -> AsyncGenerator[list[Fields], None]:
    """The rows of a SELECT, in pages. Nothing else may use the connection meanwhile. Wrap it in `translated`. If the
    generator is closed before its end, the connection is closed too.
    """
    copying = _Copying(connection, query, arguments)
    rest = b""
    is_begun = False
    try:
        while (chunk := await copying.next_chunk()) is not None:
            rest += chunk
            if not is_begun:
                if len(rest) < _HEADER_BYTES:
                    continue
                rest, is_begun = rest[_HEADER_BYTES:], True
            rows, rest = _split(rest)
            if rows:
                yield rows
    finally:
        await copying.end()


class _Copying:
    def __init__(self, connection: Connection, query: str, arguments: tuple[object, ...]) -> None:
        self._connection = connection
        self._chunks: asyncio.Queue[bytes | None] = asyncio.Queue(_WAITING_CHUNKS)
        self._is_ended = False
        self._task = asyncio.create_task(self._copy(query, arguments))

    async def next_chunk(self) -> bytes | None:
        """The next chunk; None at the end. Raises the error of the COPY."""
        chunk = await self._chunks.get()
        if chunk is None:
            await self._task
        return chunk

    async def end(self) -> None:
        """Closes the connection if rows are left: asyncpg 0.32 breaks a connection when it ends a COPY early."""
        self._is_ended = True
        while not self._chunks.empty():
            self._chunks.get_nowait()
        if not self._task.done():
            self._connection.terminate()
        await asyncio.wait({self._task})
        if not self._task.cancelled():
            self._task.exception()

    async def _copy(self, query: str, arguments: tuple[object, ...]) -> None:
        try:
            await self._connection.copy_from_query(query, *arguments, output=self._take, format="binary")
        finally:
            await self._take(None)

    async def _take(self, chunk: bytes | None) -> None:
        if not self._is_ended:
            await self._chunks.put(chunk)


def _split(data: bytes) -> tuple[list[Fields], bytes]:
    """The complete rows at the beginning of the data, and the rest of the data."""
    rows: list[Fields] = []
    start, length = 0, len(data)
    while (row := _row_at(data, start, length)) is not None:
        fields, start = row
        if fields is not None:
            rows.append(fields)
    return rows, data[start:]


def _row_at(data: bytes, at: int, length: int) -> tuple[Fields | None, int] | None:
    """A row and where the next one begins. The trailer has no fields (None). Returns None if the row is incomplete."""
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
