"""A request's body, read no further than it may go: chunks in, bytes out."""

import asyncio

from starlette.requests import Request

from daybook_command.http.body_budget import Share
from daybook_command.http.problems import Refused, refuse
from daybook_contracts.codes import TOO_LARGE_STATUS, Code

READ_SECONDS = 30.0
# A sender this slow may not keep its connection.
_CLOSE = {"Connection": "close"}


async def read_body(request: Request, most: int, share: Share) -> bytes:
    """Raises Refused (413, 408, 503), and Starlette's ClientDisconnect. The server drops what is left unread."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > most:
        raise _too_large(most)
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(READ_SECONDS):
            async for chunk in request.stream():
                size += len(chunk)
                if size > most:
                    raise _too_large(most)
                share.take(len(chunk))
                chunks.append(chunk)
    except TimeoutError as error:
        detail = f"The body did not arrive within {READ_SECONDS:g} s."
        raise refuse(Code.INVALID_COMMAND, detail, status=408, headers=_CLOSE) from error
    return b"".join(chunks)


def _too_large(most: int) -> Refused:
    detail = f"the body must be at most {most // 1024} KiB"
    return refuse(Code.INVALID_COMMAND, detail, status=TOO_LARGE_STATUS)
