"""Makes the HTTP responses of the read API: a body and its positions in; a response with `Daybook-Position` and `ETag`,
or 304, out. Limits the memory of large bodies that are not written yet.
"""

import asyncio
from collections.abc import Hashable, Mapping
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from daybook_infra.runtime.http.byte_budget import ByteBudget
from daybook_infra.runtime.http.protocol import ABORT
from daybook_projector.read_api.encoding import etag_of
from daybook_projector.read_api.pages import Reading

# Maximum total size of the bodies that clients have not taken yet. Bodies of at most PIECE_BYTES are not counted.
MAX_BYTES: Final = 64 * 1024 * 1024
# The size of one write. The next one waits until the client has taken nearly all of it.
PIECE_BYTES: Final = 64 * 1024
# How long sending a large body may take in all: a client that reads a byte now and then must not keep its place in
# the budget.
WRITE_SECONDS: Final = 120.0

FULL: Final = "The answers that are being read here take too much memory. Ask again, or for fewer items."
SHARE_FULL: Final = "Your answers that you have not read yet take too much memory. Read them, then ask again."


class BoundedResponses:
    """The responses of one instance."""

    def __init__(self) -> None:
        self._budget = ByteBudget(MAX_BYTES, full=FULL, share_full=SHARE_FULL)

    def response(self, request: Request, reading: Reading) -> Response:
        etag = etag_of(reading.body)
        headers = {
            "ETag": etag,
            # Only the caller may store the response, and must revalidate it before each use.
            "Cache-Control": "private, no-cache",
            "Vary": "Authorization",
            **({"Daybook-Position": reading.positions} if reading.positions else {}),
        }
        if _matches(request.headers.get("if-none-match"), etag):
            return Response(status_code=304, headers=headers)
        if len(reading.body) <= PIECE_BYTES or request.method == "HEAD":
            return Response(reading.body, headers=headers, media_type="application/json")
        return _LargeResponse(reading.body, headers, self._budget, request.state.token.principal)


class _LargeResponse(Response):
    """Counts in the budget until the client has taken all but the last piece. Raises RequestRefused (503) before it
    sends anything if the budget is used up.
    """

    media_type = "application/json"

    def __init__(self, body: bytes, headers: Mapping[str, str], budget: ByteBudget, principal: Hashable) -> None:
        super().__init__(body, headers=headers)
        self._budget = budget
        self._principal = principal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        size = len(self.body)
        self._budget.take(self._principal, size)
        try:
            async with asyncio.timeout(WRITE_SECONDS):
                await self._send(send)
        except TimeoutError:
            if (abort := scope.get("extensions", {}).get(ABORT)) is not None:
                abort["call"]()
                await _disconnected(receive)
        finally:
            self._budget.release(self._principal, size)

    async def _send(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        ends = range(PIECE_BYTES, len(self.body), PIECE_BYTES)
        for end in ends:
            piece = self.body[end - PIECE_BYTES : end]
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": self.body[ends[-1] :]})


async def _disconnected(receive: Receive) -> None:
    """Waits until the server knows that the connection has ended. It would log an answer that ended before that."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _matches(header: str | None, etag: str) -> bool:
    """If-None-Match compares weakly (RFC 9110, 13.1.2)."""
    if header is None:
        return False
    return header.strip() == "*" or etag in {each.strip().removeprefix("W/") for each in header.split(",")}
