"""A transport that writes once in each iteration of the event loop. uvicorn writes the head and the body of an answer
separately; each would be a system call, and wake the client.
"""

import asyncio
from collections.abc import Callable
from typing import Final

# More bytes than this are written immediately. If a client does not read, the transport must pause the app, and it does
# so only when it has the bytes.
MOST_BYTES: Final = 16 * 1024


class JoinedWrites:
    """Wraps a transport, and has the methods that the protocol uses. What was written is sent before the connection is
    closed, but not if it is aborted. `closes_later`: asked when the transport is to be closed; if it returns True, it
    closes the transport itself.
    """

    def __init__(
        self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop, closes_later: Callable[[], bool]
    ) -> None:
        self._transport = transport
        self._loop = loop
        self._closes_later = closes_later
        self._pieces: list[bytes] = []
        self._size = 0

    def write(self, data: bytes) -> None:
        if not self._pieces:
            self._loop.call_soon(self._send)
        self._pieces.append(data)
        self._size += len(data)
        if self._size > MOST_BYTES:
            self._send()

    def close(self) -> None:
        self._send()
        if not self._closes_later():
            self._transport.close()

    def write_eof(self) -> None:
        self._send()
        self._transport.write_eof()

    def abort(self) -> None:
        self._pieces.clear()
        self._transport.abort()

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def can_write_eof(self) -> bool:
        return self._transport.can_write_eof()

    def _send(self) -> None:
        pieces, self._pieces, self._size = self._pieces, [], 0
        if pieces and not self._transport.is_closing():
            self._transport.write(b"".join(pieces))
