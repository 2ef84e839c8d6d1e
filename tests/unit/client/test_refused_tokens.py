"""Daybook refuses the token while commands are sent: outcomes known by then are given before the error is raised."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest

from daybook_client import Accepted, CredentialsRefused, Daybook, blocking, commands
from daybook_client.command import Command
from daybook_client.outcomes import Found
from daybook_client.send_queues import send_through_queues
from daybook_contracts.limits import BATCH_BYTES

REFUSED = b"HTTP/1.1 401 Unauthorized\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
TEXT_BYTES = 60_000
DEADLINE = 20
ORG, OTHER = "00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002"
QUEUES = 8
"""With this many queues, the two orgs are in different ones."""

Send = Callable[[str, Sequence[Command]], Coroutine[None, None, list[str]]]


@asynccontextmanager
async def server(accepted: int) -> AsyncIterator[str]:
    """Accepts the first commands of the first request, at most `accepted` of them, and has no outcome for the rest yet.
    Refuses the token of all later requests.
    """
    is_first = True

    async def answer(reader: asyncio.StreamReader) -> bytes:
        nonlocal is_first
        length = re.search(rb"content-length: (\d+)", (await reader.readuntil(b"\r\n\r\n")).lower())
        assert length is not None
        asked = json.loads(await reader.readexactly(int(length[1])))
        if not is_first:
            return REFUSED
        is_first = False
        items = [{"command_id": each["id"], "result": "success", "position": "0.1", "status": 200} for each in asked]
        items[accepted:] = [{"command_id": each["id"], "status": 202} for each in asked[accepted:]]
        body = json.dumps(items).encode()
        return b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await answer(reader))
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0, limit=2**20) as listening:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"


async def send_async(url: str, asked: Sequence[Command]) -> list[str]:
    seen = list[str]()

    async def send(daybook: Daybook) -> None:
        async for outcome in daybook.send_many(asked, deadline=DEADLINE):
            assert isinstance(outcome, Accepted)
            seen.append(outcome.command.id)

    async with Daybook.over_http(url, token="t") as daybook:
        with pytest.raises(CredentialsRefused):
            await send(daybook)
    return seen


async def send_blocking(url: str, asked: Sequence[Command]) -> list[str]:
    seen = list[str]()

    def send() -> None:
        with blocking.Daybook.over_http(url, token="t") as daybook:
            for outcome in daybook.send_many(asked, deadline=DEADLINE):
                assert isinstance(outcome, blocking.Accepted)
                seen.append(outcome.command.id)

    with pytest.raises(CredentialsRefused):
        await asyncio.to_thread(send)
    return seen


@pytest.mark.parametrize("send", [send_async, send_blocking])
async def test_outcomes_of_earlier_batches_are_given(send: Send) -> None:
    text, count = "x" * TEXT_BYTES, BATCH_BYTES // TEXT_BYTES + 5
    asked = [commands.RecordDlqEvent(org_id=ORG, connection_id=uuid4(), payload=text) for _ in range(count)]
    async with server(accepted=len(asked)) as url:
        seen = await send(url, asked)
    assert 0 < len(seen) < len(asked)
    assert seen == [command.id for command in asked[: len(seen)]]


@pytest.mark.parametrize("send", [send_async, send_blocking])
async def test_outcomes_of_earlier_attempts_are_given(send: Send) -> None:
    asked = [commands.RenameOrg(org_id=ORG, name=f"{at}") for at in range(10)]
    async with server(accepted=4) as url:
        assert await send(url, asked) == [command.id for command in asked[:4]]


async def test_nothing_of_an_org_is_sent_after_a_refusal() -> None:
    refused, go_on, sent = asyncio.Event(), asyncio.Event(), list[str]()
    slow, quick, later = (commands.RenameOrg(org_id=org, name="x") for org in (ORG, OTHER, OTHER))

    async def send(several: Sequence[Command]) -> list[Found]:
        sent.extend(each.id for each in several)
        if several[0] is slow:
            await go_on.wait()
            return [Accepted(slow, "0.0", ())]
        refused.set()
        return [CredentialsRefused("expired") for _ in several]

    async def asked() -> AsyncIterator[Command]:
        yield slow
        yield quick
        await refused.wait()
        yield later
        for _ in range(10):
            await asyncio.sleep(0)
        go_on.set()

    outcomes = send_through_queues(send, asked(), 10, QUEUES)
    assert await anext(outcomes) == Accepted(slow, "0.0", ())
    with pytest.raises(CredentialsRefused):
        await anext(outcomes)
    assert sent == [slow.id, quick.id]
