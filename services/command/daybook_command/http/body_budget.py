"""Limits the memory of requests in progress, in total and per principal, and reads bodies within these limits.

Without a limit, a client that sends faster than Kafka accepts would fill the memory with waiting bodies, and requests
of other clients would fail.
"""

import asyncio
from collections.abc import Hashable
from typing import Final, Self

from starlette.requests import ClientDisconnect, Request

from daybook_command.metrics import DOOR_HELD
from daybook_contracts.codes import TOO_LARGE_STATUS, Code
from daybook_infra.runtime.http.byte_budget import ByteBudget
from daybook_infra.runtime.http.problems import RequestRefused, refusal
from daybook_infra.runtime.http.protocol import BODY_ARRIVED

# Counts bodies, and COMMAND_BYTES for each command. The objects made from them take several times as much memory until
# the answer.
MAX_BYTES: Final = 64 * 1024 * 1024
# Counted for each command in addition to its body, because many tiny commands also take memory.
COMMAND_BYTES: Final = 4 * 1024
READ_SECONDS: Final = 30.0

FULL: Final = "The requests in progress here take too much memory; nothing was done. Send the request again."
SHARE_FULL: Final = (
    "Your requests in progress here take too much memory; nothing was done. "
    "Send this one again when another is answered."
)


class BodyBudget(ByteBudget):
    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        super().__init__(max_bytes, full=FULL, share_full=SHARE_FULL)
        DOOR_HELD.set_function(lambda: self.held)

    def reserve(self, principal: Hashable) -> "Reservation":
        """The reservation of one request: enter it, and leave it when the request is answered."""
        return Reservation(self, principal)


class Reservation:
    """Grows with the bytes that have arrived: a Content-Length alone reserves nothing. Entering it raises
    RequestRefused (503) if the budget is used up.
    """

    def __init__(self, budget: BodyBudget, principal: Hashable) -> None:
        self._budget = budget
        self._principal = principal
        self.size = 0

    def __enter__(self) -> Self:
        self.add(COMMAND_BYTES)
        return self

    def __exit__(self, *_: object) -> None:
        self._budget.release(self._principal, self.size)

    def add(self, size: int) -> None:
        """Raises RequestRefused (503) if the budget is used up."""
        self._budget.take(self._principal, size)
        self.size += size

    def add_commands(self, count: int) -> None:
        """Adds the overhead of further commands in a batch. `__enter__` has added that of the first command."""
        self.add(count * COMMAND_BYTES)


async def read_body(request: Request, declared: bytes, max_size: int, reservation: Reservation) -> bytes:
    """`declared`: the Content-Length, or empty. Raises RequestRefused (413, 408, 503) and Starlette's ClientDisconnect.
    The server discards the unread rest.
    """
    if declared.isdigit() and int(declared) > max_size:
        raise _too_large(max_size)
    if _has_arrived(request):
        return await _read_chunks(request, max_size, reservation)
    try:
        async with asyncio.timeout(READ_SECONDS):
            return await _read_chunks(request, max_size, reservation)
    except TimeoutError as error:
        detail = f"The body did not arrive within {READ_SECONDS:g} s."
        raise refusal(Code.INVALID_COMMAND, detail, status=408, headers={"Connection": "close"}) from error


async def _read_chunks(request: Request, max_size: int, reservation: Reservation) -> bytes:
    chunks: list[bytes] = []
    size, is_complete = 0, False
    while not is_complete:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunk, is_complete = message.get("body", b""), not message.get("more_body", False)
        size += len(chunk)
        if size > max_size:
            raise _too_large(max_size)
        reservation.add(len(chunk))
        chunks.append(chunk)
    return b"".join(chunks)


def _has_arrived(request: Request) -> bool:
    """Whether the server has the whole body already, so that reading it needs no timer."""
    extensions = request.scope.get("extensions", {})
    return BODY_ARRIVED in extensions and extensions[BODY_ARRIVED]["call"]()


def _too_large(max_size: int) -> RequestRefused:
    detail = f"the body must be at most {max_size // 1024} KiB"
    return refusal(Code.INVALID_COMMAND, detail, status=TOO_LARGE_STATUS)
