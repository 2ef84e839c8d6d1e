"""Writes one open stream to its client: first the entries that the client missed, then new ones as they come."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from daybook_infra.runtime.errors import DatabaseAway
from daybook_infra.runtime.http.auth import VerifiedToken
from daybook_infra.runtime.http.problems import RequestRefused
from daybook_infra.runtime.http.protocol import ABORT
from daybook_projector.read_api.stream.events import farewell
from daybook_projector.read_api.stream.open_stream import End, OpenStream

LAST_WRITE_SECONDS: Final = 1.0


@dataclass(slots=True)
class TokenWatch:
    """Verifies the token again from time to time with `check`, because its key may have been withdrawn."""

    token: VerifiedToken
    check: Callable[[], Awaitable[VerifiedToken]]

    async def is_valid(self) -> bool:
        if time.monotonic() >= self.token.trusted_until:
            try:
                self.token = await self.check()
            except RequestRefused:
                return False
        return time.time() < self.token.expires_at


class StreamHead(Response):
    """The headers of a stream, without any event."""

    media_type = "text/event-stream"

    def __init__(self, headers: Mapping[str, str]) -> None:
        # `X-Accel-Buffering: no` makes an nginx proxy pass events on at once.
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no", **headers})
        del self.headers["content-length"]


class StreamResponse(StreamHead):
    """`catch_up` yields the events that the client missed. Before it finishes, it joins the stream to the hub."""

    def __init__(
        self,
        stream: OpenStream,
        catch_up: AsyncIterator[bytes],
        token: TokenWatch,
        leave: Callable[[End], None],
        headers: Mapping[str, str],
    ) -> None:
        super().__init__(headers)
        self._stream = stream
        self._catch_up = catch_up
        self._token = token
        self._leave = leave

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sending = asyncio.create_task(self._send(send))
        leaving = asyncio.create_task(_client_left(receive))
        awaited: set[asyncio.Future[Any]] = {sending, leaving, self._stream.ended}
        reason = End.CLIENT_GONE
        try:
            await asyncio.wait(awaited, return_when=asyncio.FIRST_COMPLETED)
            if self._stream.ended.done():
                reason = self._stream.ended.result()
                # A client that still reads gets the last comment and the end of the response. Others are disconnected.
                await asyncio.wait({sending, leaving}, timeout=0 if reason is End.SLOW else LAST_WRITE_SECONDS)
            if not sending.done() and not leaving.done() and (abort := scope.get("extensions", {}).get(ABORT)):
                abort["call"]()
        finally:
            self._leave(reason)
            leaving.cancel()
            sending.cancel()
            await asyncio.wait({sending, leaving})
        if not sending.cancelled() and (error := sending.exception()) is not None:
            raise error

    async def _send(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        async for event in self._events():
            await send({"type": "http.response.body", "body": event, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def _events(self) -> AsyncIterator[bytes]:
        try:
            async for missed in self._catch_up:
                if not await self._token.is_valid():
                    self._stream.end(End.TOKEN_EXPIRED)
                if self._stream.has_ended:
                    break
                yield missed
        except (DatabaseAway, RequestRefused):
            # The answer has begun, so it can no longer be a refusal. The client resumes the stream.
            self._stream.end(End.NO_DATABASE)
        while not self._stream.has_ended:
            found = await self._stream.next_bytes()
            if not await self._token.is_valid():
                self._stream.end(End.TOKEN_EXPIRED)
            elif found:
                yield found
        yield farewell(self._stream.ended.result())


async def _client_left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
