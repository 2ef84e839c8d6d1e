"""Ignores the offer of a request to upgrade its connection, to WebSocket or HTTP/2. httptools skips the body of such a
request, so a second parser reads it.
"""

from collections.abc import Iterable
from typing import Final, Protocol

import httptools

_FRAMING: Final = frozenset({b"content-length", b"transfer-encoding"})


class BodyReader(Protocol):
    def on_body(self, body: bytes) -> None: ...

    def on_message_complete(self) -> None: ...


class UpgradeOfferComplete(Exception):
    """The request that offered an upgrade has arrived completely. The bytes after it need not be HTTP."""


class _BodyCallbacks:
    """Without callbacks for a head and trailers, httptools drops them."""

    def __init__(self, reader: BodyReader) -> None:
        self.on_body = reader.on_body
        self._on_message_complete = reader.on_message_complete

    def on_message_complete(self) -> None:
        self._on_message_complete()
        raise UpgradeOfferComplete


def body_parser(reader: BodyReader) -> httptools.HttpRequestParser:
    """A parser for one body. It must get a `framing_head` first, and ends with UpgradeOfferComplete."""
    return httptools.HttpRequestParser(_BodyCallbacks(reader))


def framing_head(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The head of a request whose body is framed as these headers say, and which offers no upgrade."""
    lines = [b"%s: %s\r\n" % header for header in headers if header[0] in _FRAMING]
    return b"POST / HTTP/1.1\r\n%s\r\n" % b"".join(lines)
