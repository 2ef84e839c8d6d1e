"""Closing the client ends its work: commands in flight are not sent again, and their outcomes are unknown."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest

from daybook_client import Daybook, Misuse, Outcome, Unknown, blocking, commands
from daybook_client.http.session import NoAnswer, Session

DEADLINE = 20
PAUSE_SECONDS = 60
UNCLEAR = b"HTTP/1.1 502 Bad Gateway\r\nconnection: close\r\ncontent-length: 0\r\nretry-after: %d\r\n\r\n"
CREATE = commands.CreateOrg(org_id=uuid4(), name="x")

AnyOutcome = Outcome | blocking.Outcome
Send = Callable[[str, asyncio.Event], Awaitable[AnyOutcome]]


@asynccontextmanager
async def unclear_server(asked: asyncio.Event, pause_seconds: int = 0) -> AsyncIterator[str]:
    """Gives every request an answer without an outcome, and asks for a pause. Sets `asked` at the first."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if head.startswith(b"POST"):
            await reader.readuntil(b"}}")  # the end of the command
        asked.set()
        writer.write(UNCLEAR % pause_seconds)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def close_async(url: str, asked: asyncio.Event) -> AnyOutcome:
    async with Daybook.over_http(url, token="t") as daybook:
        sending = asyncio.create_task(daybook.send(CREATE, deadline=3 * DEADLINE))
        await asked.wait()
    return await asyncio.wait_for(sending, DEADLINE)


async def close_blocking(url: str, asked: asyncio.Event) -> AnyOutcome:
    with blocking.Daybook.over_http(url, token="t") as daybook:
        sending = asyncio.create_task(asyncio.to_thread(daybook.send, CREATE, deadline=3 * DEADLINE))
        await asked.wait()
    return await asyncio.wait_for(sending, DEADLINE)


@pytest.mark.parametrize("close", [close_async, close_blocking])
async def test_a_command_that_is_in_flight_when_the_client_closes_is_unknown(close: Send) -> None:
    asked = asyncio.Event()
    async with unclear_server(asked) as url:
        outcome = await close(url, asked)
    assert isinstance(outcome, Unknown)
    assert outcome.command is CREATE


async def test_a_request_after_the_session_was_closed_gets_no_answer() -> None:
    session = Session("http://127.0.0.1:9", "t")
    await session.close()
    with pytest.raises(NoAnswer, match="closed"):
        await session.ask("GET", "/", 1)
    with pytest.raises(NoAnswer, match="closed"):
        async with session.stream("/", {}, 1):
            pass


async def test_a_closed_client_is_not_opened_again() -> None:
    daybook = Daybook.over_http("http://127.0.0.1:9", token="t")
    async with daybook:
        pass
    with pytest.raises(Misuse, match="closed"):
        await daybook.open()
    with pytest.raises(Misuse):
        await daybook.send(CREATE)


def test_the_blocking_client_cannot_be_used_after_close() -> None:
    with blocking.Daybook.over_http("http://127.0.0.1:9", token="t", read_url="http://127.0.0.1:9") as daybook:
        pass
    with pytest.raises(Misuse, match="closed"):
        daybook.send(CREATE)
    with pytest.raises(Misuse, match="closed"):
        next(daybook.send_many([CREATE]))
    with pytest.raises(Misuse, match="closed"):
        daybook.wait_for("0.1")
    with pytest.raises(Misuse, match="closed"):
        daybook.tail(uuid4())


class Retries(logging.Handler):
    """Sets `pausing` when the client logs that it will try again after a pause."""

    def __init__(self) -> None:
        super().__init__()
        self.pausing = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        if record.getMessage() in {"commands_sent_again", "stream_interrupted"}:
            self.pausing.set()


@pytest.fixture
def retries(caplog: pytest.LogCaptureFixture) -> Iterator[Retries]:
    caplog.set_level(logging.INFO, "daybook_client")
    handler, logger = Retries(), logging.getLogger("daybook_client")
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)


def send_one(daybook: blocking.Daybook) -> None:
    daybook.send(CREATE, deadline=2 * PAUSE_SECONDS)


def follow(daybook: blocking.Daybook) -> None:
    for _ in daybook.tail(uuid4()):
        pass


@pytest.mark.parametrize("use", [send_one, follow])
async def test_closing_the_blocking_client_ends_a_pause(
    retries: Retries, use: Callable[[blocking.Daybook], None]
) -> None:
    async with unclear_server(asyncio.Event(), PAUSE_SECONDS) as url:
        with blocking.Daybook.over_http(url, token="t", read_url=url) as daybook:
            thread = threading.Thread(target=use, args=[daybook], daemon=True)
            thread.start()
            assert await asyncio.to_thread(retries.pausing.wait, DEADLINE)
        await asyncio.to_thread(thread.join, DEADLINE)
    assert not thread.is_alive()
