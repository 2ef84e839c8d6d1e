"""Counts and times the answers of a route: an ASGI app in, the same one, measured, out."""

import time
from http import HTTPStatus

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from daybook_command.metrics import DOOR_SECONDS


def measured(route: str, app: ASGIApp) -> ASGIApp:
    """`route` is the path's pattern: labels are few."""

    async def measuring(scope: Scope, receive: Receive, send: Send) -> None:
        started = time.monotonic()
        # What raises through here is answered as a bug, further out.
        status = HTTPStatus.INTERNAL_SERVER_ERROR.value

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await app(scope, receive, noting)
        finally:
            DOOR_SECONDS.labels(route, status).observe(time.monotonic() - started)

    return measuring
