"""A token with characters that no header may have is refused before it is sent, and no message quotes it."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from daybook_client import Accepted, Daybook, Misuse, blocking, commands
from daybook_client.http.blocking_session import BlockingToken
from support.door_doubles import ORG, DoorAlone, token
from support.door_served import served

UNSENDABLE = ["", " ", "SECRET\nTOKEN", "SECRET\x00TOKEN", "SECRET\u0161TOKEN"]
RENAME = commands.RenameOrg(org_id=ORG, name="x")


@pytest.fixture
async def url() -> AsyncIterator[str]:
    async with served(DoorAlone()) as client:
        yield str(client.base_url)


@pytest.mark.parametrize("text", UNSENDABLE)
def test_a_token_that_cannot_be_sent_is_misuse(text: str) -> None:
    for client in (Daybook, blocking.Daybook):
        with pytest.raises(Misuse, match="token") as refused:
            client.over_http("http://127.0.0.1:9", token=text)
        assert "SECRET" not in str(refused.value)


@pytest.mark.parametrize("text", UNSENDABLE)
async def test_a_function_whose_token_cannot_be_sent_is_misuse(url: str, text: str) -> None:
    async def source() -> str:
        return text

    async with Daybook.over_http(url, token=source, read_url=url) as daybook:
        with pytest.raises(Misuse, match="token") as refused:
            await daybook.send(RENAME)
        assert "SECRET" not in str(refused.value)
        with pytest.raises(Misuse, match="token"):
            await anext(daybook.read.orgs())
        with pytest.raises(Misuse, match="token"):
            await anext(daybook.tail(uuid4()))

    def send() -> None:
        with blocking.Daybook.over_http(url, token=lambda: text) as daybook:
            daybook.send(RENAME)

    with pytest.raises(Misuse, match="token"):
        await asyncio.to_thread(send)


async def test_white_space_around_a_token_is_left_out(url: str) -> None:
    line = token("service:shop") + "\n"

    async def source() -> str:
        return line

    for each in (line, source):
        async with Daybook.over_http(url, token=each) as daybook:
            assert isinstance(await daybook.send(RENAME), Accepted)

    def send(source: BlockingToken) -> blocking.Outcome:
        with blocking.Daybook.over_http(url, token=source) as daybook:
            return daybook.send(RENAME)

    assert isinstance(await asyncio.to_thread(send, line), blocking.Accepted)
    assert isinstance(await asyncio.to_thread(send, lambda: line), blocking.Accepted)


async def test_a_function_is_asked_again_after_a_token_that_could_not_be_sent(url: str) -> None:
    tokens = iter(["SECRET\u0161TOKEN", token("service:shop")])

    async def source() -> str:
        return next(tokens)

    async with Daybook.over_http(url, token=source) as daybook:
        with pytest.raises(Misuse, match="token"):
            await daybook.send(RENAME)
        assert isinstance(await daybook.send(RENAME), Accepted)
