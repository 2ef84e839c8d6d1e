"""The end of a stream that is still catching up: a read fails, or the token is no longer valid."""

import asyncio
import math
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import pytest

from daybook_contracts.codes import Code
from daybook_contracts.senders.principals import User
from daybook_infra.runtime.errors import DatabaseAway
from daybook_infra.runtime.http.auth import VerifiedToken
from daybook_infra.runtime.http.problems import refusal
from daybook_projector.read_api.reader import reader_of
from daybook_projector.read_api.stream.open_stream import End, OpenStream
from daybook_projector.read_api.stream.response import StreamResponse, TokenWatch
from support.driving import fresh_id

VALID = VerifiedToken(User(fresh_id()), expires_at=math.inf, trusted_until=math.inf)


@pytest.mark.parametrize(
    "failure", [DatabaseAway("away"), refusal(Code.TOO_MANY_REQUESTS, "too many")], ids=["outage", "refusal"]
)
async def test_a_stream_that_cannot_catch_up_ends_with_no_database(failure: Exception) -> None:
    async def catch_up(_: OpenStream) -> AsyncIterator[bytes]:
        yield b"id: 0.1\n\n"
        raise failure

    sent, reasons = await send_all(TokenWatch(VALID, refuse), catch_up)
    assert sent == [b"id: 0.1\n\n", b": no_database\n\n", b""]
    assert reasons == [End.NO_DATABASE]


@pytest.mark.parametrize(
    "gone", [replace(VALID, expires_at=0.0), replace(VALID, trusted_until=0.0)], ids=["expired", "withdrawn"]
)
async def test_a_stream_that_catches_up_ends_with_its_token(gone: VerifiedToken) -> None:
    token = TokenWatch(VALID, refuse)

    async def catch_up(stream: OpenStream) -> AsyncIterator[bytes]:
        yield b"id: 0.1\n\n"
        token.token = gone
        yield b"id: 0.2\n\n"
        stream.end(End.STOPPING)

    sent, reasons = await send_all(token, catch_up)
    assert sent == [b"id: 0.1\n\n", b": token_expired\n\n", b""]
    assert reasons == [End.TOKEN_EXPIRED]


async def refuse() -> VerifiedToken:
    raise refusal(Code.UNAUTHENTICATED, "withdrawn")


async def send_all(
    token: TokenWatch, catch_up: Callable[[OpenStream], AsyncIterator[bytes]]
) -> tuple[list[bytes], list[End]]:
    """The pieces of the body, and why the stream ended."""

    async def receive() -> Any:
        await asyncio.Event().wait()

    sent: list[bytes] = []

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body":
            sent.append(message["body"])

    ended = asyncio.get_running_loop().create_future()
    stream = OpenStream(reader_of(User(fresh_id()), None), fresh_id(), 0, 1, ended)
    reasons: list[End] = []
    await StreamResponse(stream, catch_up(stream), token, reasons.append, {})({}, receive, send)
    return sent, reasons
