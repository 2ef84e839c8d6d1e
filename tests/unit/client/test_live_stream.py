"""The client follows the live stream of a server that loses connections: each entry comes once."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID

import pytest

from daybook_client import CredentialsRefused, Daybook, Misuse, NotVisible
from daybook_client.http.session import Session
from daybook_client.http.stream import OrgStream
from daybook_client.http.stream_place import StreamPlace
from daybook_client.positions import parse_starts
from daybook_contracts.entries.facts import OrgRenamed
from support.logbook import log_with, org, user

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
HUNG = b"(and then nothing more comes)"


def _events() -> list[bytes]:
    log = log_with(org(1))
    for number in range(5):
        log.add(org(1), user(1), OrgRenamed(name=f"{number}"))
    return [b"id: 0.%d\ndata: %b\n\n" % (at, value or b"") for at, value in enumerate(log.records[0])]


EVENTS = _events()


@dataclass(slots=True)
class Server:
    """Gives each connection the next answer. `asked`: the Last-Event-ID of each connection."""

    answers: list[bytes]
    asked: list[str | None] = field(default_factory=list)
    _ending: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines = (await reader.readuntil(b"\r\n\r\n")).decode().lower().split("\r\n")
        ids = [line.partition(": ")[2] for line in lines if line.startswith("last-event-id: ")]
        self.asked.append(ids[0] if ids else None)
        answer = self.answers.pop(0)
        writer.write(answer.removesuffix(HUNG))
        if answer.endswith(HUNG):
            await self._ending.wait()
        writer.close()
        await writer.wait_closed()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        try:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        finally:
            self._ending.set()
            server.close()

    @asynccontextmanager
    async def stream(self, after: str | None = None, silence_seconds: float = 20) -> AsyncIterator[OrgStream]:
        async with self.listening() as url:
            session = Session(url, "a token")
            try:
                yield OrgStream(session, place(after), lambda: True, silence_seconds)
            finally:
                await session.close()


def place(after: str | None) -> StreamPlace:
    return StreamPlace(UUID(org(1)), parse_starts(after))


def problem(status: str, *headers: str) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", "content-length: 0", *headers, "", ""]).encode()


async def take(stream: OrgStream, count: int) -> Sequence[str]:
    async with aclosing(stream.entries()) as entries:
        return [(await anext(entries)).position for _ in range(count)]


async def test_a_lost_connection_is_opened_again_after_the_last_whole_entry() -> None:
    server = Server(
        [
            HEAD + b"id: 0.1\n\n" + EVENTS[2] + EVENTS[3][:-30],  # cut within an entry
            problem("503 Unavailable", "retry-after: 0"),
            problem("200 OK", "content-type: text/html"),  # a proxy's own page
            HEAD + b"id: 0.2\n\n" + EVENTS[3] + EVENTS[4][:-1],  # all but the last byte
            HEAD + b"id: 0.3\n\n:\n\n",
            HEAD + EVENTS[4] + EVENTS[5],
        ]
    )
    async with server.stream() as stream:
        assert await take(stream, 4) == ["0.2", "0.3", "0.4", "0.5"]
    assert server.asked == [None, "0.2", "0.2", "0.2", "0.3", "0.3"]


async def test_a_stream_lost_before_its_first_entry_starts_again_at_the_same_position() -> None:
    server = Server([HEAD + b"id: 0.3\n\n", HEAD + EVENTS[4]])
    async with server.stream() as stream:
        assert await take(stream, 1) == ["0.4"]
    assert server.asked == [None, "0.3"]


@pytest.mark.parametrize(
    ("after", "asked"), [("start", "start"), ("4.-1", "start"), ("0.7:9:" + "a" * 64, "0.7"), (["start", "0.1"], "0.1")]
)
async def test_the_stream_begins_after_the_given_position(after: str, asked: str) -> None:
    server = Server([HEAD, HEAD + EVENTS[4]])
    async with server.stream(after) as stream:
        assert await take(stream, 1) == ["0.4"]
    assert server.asked == [asked, asked]


async def test_a_silent_connection_counts_as_lost() -> None:
    server = Server([HEAD + EVENTS[2] + HUNG, HEAD + EVENTS[3]])
    async with server.stream("0.1", silence_seconds=0.1) as stream:
        assert await take(stream, 2) == ["0.2", "0.3"]
    assert server.asked == ["0.1", "0.2"]


@pytest.mark.parametrize(
    ("status", "raised"),
    [
        ("400 Bad Request", Misuse),
        ("401 Unauthorized", CredentialsRefused),
        ("403 Forbidden", CredentialsRefused),
        ("404 Not Found", NotVisible),
    ],
)
async def test_a_permanent_error_is_raised(status: str, raised: type[Exception]) -> None:
    server = Server([HEAD + EVENTS[2], problem(status)])
    async with server.stream() as stream, aclosing(stream.entries()) as entries:
        assert (await anext(entries)).action == "RENAME_ORG"
        with pytest.raises(raised):
            await anext(entries)


async def test_the_stream_ends_when_the_client_is_closed() -> None:
    async with Server([HEAD + EVENTS[2] + HUNG]).listening() as url:
        daybook = Daybook.over_http(url, token="a token", read_url=url)
        await daybook.open()
        async with aclosing(daybook.tail(org(1))) as entries:
            assert (await anext(entries)).position == "0.2"
            following = asyncio.create_task(anext(entries, None))
            await daybook.close()
            assert await following is None


async def test_following_several_orgs_or_positions_over_http_is_misuse() -> None:
    async with Daybook.over_http("http://127.0.0.1:9", token="a token", read_url="http://127.0.0.1:9") as daybook:
        with pytest.raises(Misuse, match="over HTTP"):
            daybook.tail("all")
        with pytest.raises(Misuse, match="over HTTP"):
            daybook.tail(org(1), after=["0.1", "1.1"])


async def test_following_anything_other_than_an_org_is_misuse() -> None:
    async with Daybook.over_http("http://127.0.0.1:9", token="a token", read_url="http://127.0.0.1:9") as daybook:
        with pytest.raises(Misuse, match="not the id of an org"):
            daybook.tail("acme")
