"""The client has as many requests and tails open as the program asks for: none waits for another's connection."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import uuid4

import pytest

from daybook_client import Accepted, Daybook, Outcome, blocking, commands
from daybook_client.command import Command

MANY = 150
"""More than the 100 connections that httpx opens unless it is told otherwise."""
DEADLINE = 20
STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"
NO_CONTENT = b"HTTP/1.1 204 No Content\r\n\r\n"


@dataclass(slots=True)
class Server:
    """Begins streams. Accepts commands, but only after MANY requests have come: then `are_many_open` is set."""

    are_many_open: asyncio.Event = field(default_factory=asyncio.Event)
    open: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                await self._answer(head.lower(), reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if b"/stream " in head:
            self._count()
            writer.write(STREAM)
            while not writer.is_closing():
                writer.write(b":\n\n")
                await asyncio.sleep(1)
        elif head.startswith(b"get"):
            writer.write(NO_CONTENT)
        else:
            length = re.search(rb"content-length: (\d+)", head)
            assert length is not None
            asked = json.loads(await reader.readexactly(int(length[1])))
            self._count()
            await self.are_many_open.wait()
            body = json.dumps({"command_id": asked["id"], "result": "success", "position": "0.1"}).encode()
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))

    def _count(self) -> None:
        self.open += 1
        if self.open == MANY:
            self.are_many_open.set()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        server = await asyncio.start_server(self.serve, "127.0.0.1", 0, backlog=2 * MANY)
        try:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        finally:
            self.are_many_open.set()
            server.close()


def command() -> Command:
    return commands.CreateOrg(org_id=uuid4(), name="x")


async def send_async(url: str) -> list[Outcome | blocking.Outcome]:
    async with Daybook.over_http(url, token="t", attempt_seconds=DEADLINE) as daybook:
        return [*await asyncio.gather(*(daybook.send(command(), deadline=DEADLINE) for _ in range(MANY)))]


async def send_blocking(url: str) -> list[Outcome | blocking.Outcome]:
    with (
        ThreadPoolExecutor(MANY) as threads,
        blocking.Daybook.over_http(url, token="t", attempt_seconds=DEADLINE) as daybook,
    ):
        sends = [threads.submit(daybook.send, command(), deadline=DEADLINE) for _ in range(MANY)]
        return [*await asyncio.gather(*map(asyncio.wrap_future, sends))]


@pytest.mark.parametrize("send", [send_async, send_blocking])
async def test_many_commands_are_in_flight_at_the_same_time(
    send: Callable[[str], Awaitable[list[Outcome | blocking.Outcome]]],
) -> None:
    async with Server().listening() as url:
        assert {type(outcome).__name__ for outcome in await send(url)} == {Accepted.__name__}


async def test_tails_leave_connections_for_other_reads() -> None:
    server = Server()
    async with server.listening() as url, Daybook.over_http(url, token="t", read_url=url) as daybook:
        following = [asyncio.create_task(anext(daybook.tail(uuid4()))) for _ in range(MANY)]
        try:
            async with asyncio.timeout(DEADLINE):
                await server.are_many_open.wait()
            await daybook.wait_for("0.1", timeout=DEADLINE)
        finally:
            for task in following:
                task.cancel()
            await asyncio.wait(following)
