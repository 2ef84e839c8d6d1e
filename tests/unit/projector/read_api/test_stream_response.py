"""The end of a stream that cannot read the missed entries from the database."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from daybook_contracts.codes import Code
from daybook_contracts.senders.principals import User
from daybook_infra.runtime.errors import DatabaseAway
from daybook_infra.runtime.http.problems import refusal
from daybook_projector.read_api.reader import reader_of
from daybook_projector.read_api.stream.open_stream import End, OpenStream
from daybook_projector.read_api.stream.response import StreamResponse, TokenWatch
from support.driving import fresh_id


@pytest.mark.parametrize(
    "failure", [DatabaseAway("away"), refusal(Code.TOO_MANY_REQUESTS, "too many")], ids=["outage", "refusal"]
)
async def test_a_stream_that_cannot_catch_up_ends_and_says_why(failure: Exception) -> None:
    async def catch_up() -> AsyncIterator[bytes]:
        yield b"id: 0.1\n\n"
        raise failure

    async def receive() -> Any:
        await asyncio.Event().wait()

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    ended = asyncio.get_running_loop().create_future()
    stream = OpenStream(reader_of(User(fresh_id()), None), fresh_id(), 0, 1, ended)
    reasons: list[End] = []
    # The token is verified only when new entries are sent.
    token = TokenWatch(None, None)  # type: ignore[arg-type]
    await StreamResponse(stream, catch_up(), token, reasons.append, {})({}, receive, send)
    assert [message.get("body") for message in sent] == [None, b"id: 0.1\n\n", b": no_database\n\n", b""]
    assert reasons == [End.NO_DATABASE]
