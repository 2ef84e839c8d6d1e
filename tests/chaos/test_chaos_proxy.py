"""The proxy does what each weather says, to an echo server of the test's own."""

import asyncio
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from random import Random

import pytest
import pytest_asyncio

from chaos.proxy import FAIR, LOOPBACK, Proxy, Way, Weather

SECONDS = 5.0
MOMENT = 0.05


async def _echo(reader: StreamReader, writer: StreamWriter) -> None:
    while data := await reader.read(100):
        writer.write(data.upper())
    writer.close()


@pytest_asyncio.fixture
async def proxy() -> AsyncIterator[Proxy]:
    server = await asyncio.start_server(_echo, LOOPBACK, 0)
    proxy = Proxy(Random(1), target=server.sockets[0].getsockname()[1])
    await proxy.start()
    yield proxy
    await proxy.stop()
    server.close()
    await server.wait_closed()


class Client:
    def __init__(self, reader: StreamReader, writer: StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def say(self, words: bytes) -> None:
        self.writer.write(words)

    async def hears(self, seconds: float = SECONDS) -> bytes | None:
        """None if there is nothing within the seconds; empty at the end of the connection."""
        try:
            return await asyncio.wait_for(self.reader.read(100), seconds)
        except TimeoutError:
            return None
        except ConnectionResetError:
            return b""


@pytest_asyncio.fixture
async def client(proxy: Proxy) -> AsyncIterator[Client]:
    """One that has been answered once."""
    made = await _connected(proxy)
    made.say(b"one")
    assert await made.hears() == b"ONE"
    yield made
    made.writer.close()


async def _connected(proxy: Proxy) -> Client:
    return Client(*await asyncio.open_connection(LOOPBACK, proxy.port))


async def test_a_cut_ends_the_connection_and_the_next_one_is_served(proxy: Proxy, client: Client) -> None:
    assert proxy.cut(1.0) == 1
    assert await client.hears() == b""
    again = await _connected(proxy)
    again.say(b"two")
    assert await again.hears() == b"TWO"
    again.writer.close()


async def test_a_share_of_none_harms_nobody(proxy: Proxy, client: Client) -> None:
    assert proxy.cut(0.0) == 0
    client.say(b"two")
    assert await client.hears() == b"TWO"


async def test_what_is_held_comes_when_the_weather_turns(proxy: Proxy, client: Client) -> None:
    proxy.turn(Weather(held=True))
    client.say(b"two")
    assert await client.hears(MOMENT) is None
    proxy.turn(FAIR)
    assert await client.hears() == b"TWO"


async def test_what_is_delayed_comes_later(proxy: Proxy, client: Client) -> None:
    proxy.turn(Weather(delay=2 * MOMENT))
    client.say(b"two")
    assert await client.hears(MOMENT) is None
    assert await client.hears() == b"TWO"


@pytest.mark.parametrize("way", Way)
async def test_a_connection_that_lost_something_is_cut_when_the_weather_turns(
    proxy: Proxy, client: Client, way: Way
) -> None:
    proxy.turn(Weather(swallowed=frozenset({way})))
    client.say(b"two")
    assert await client.hears(MOMENT) is None
    proxy.turn(FAIR)
    assert await client.hears() == b""


async def test_refused_are_only_new_connections(proxy: Proxy, client: Client) -> None:
    proxy.turn(Weather(refused=True))
    late = await _connected(proxy)
    assert await late.hears() == b""
    late.writer.close()
    client.say(b"two")
    assert await client.hears() == b"TWO"


async def test_a_half_closed_answer_ends_there_while_requests_still_arrive(proxy: Proxy, client: Client) -> None:
    assert proxy.end(1.0, Way.ANSWERS) == 1
    assert await client.hears() == b""
    client.say(b"two")
    await client.writer.drain()
    assert len(proxy.links) == 1
