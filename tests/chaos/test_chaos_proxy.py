"""Each behaviour of the proxy, in front of an echo server."""

import asyncio
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from contextlib import suppress
from random import Random

import pytest
import pytest_asyncio

from chaos.proxy import LOOPBACK, NORMAL, Behaviour, Direction, Proxy

SECONDS = 5.0
MOMENT = 0.05


@pytest.fixture
def requests() -> asyncio.Queue[bytes]:
    """What the echo server has received."""
    return asyncio.Queue()


@pytest_asyncio.fixture
async def proxy(requests: asyncio.Queue[bytes]) -> AsyncIterator[Proxy]:
    async def echo(reader: StreamReader, writer: StreamWriter) -> None:
        while data := await reader.read(100):
            requests.put_nowait(data)
            with suppress(ConnectionError):
                writer.write(data.upper())
        writer.close()

    server = await asyncio.start_server(echo, LOOPBACK, 0)
    proxy = Proxy(Random(1), target=server.sockets[0].getsockname()[1])
    await proxy.start()
    yield proxy
    await proxy.stop()
    server.close()
    await server.wait_closed()


class Client:
    def __init__(self, reader: StreamReader, writer: StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def receive(self, seconds: float = SECONDS) -> bytes | None:
        """Returns the data that arrives; None if none arrives in time, and b"" at the end of the connection."""
        try:
            return await asyncio.wait_for(self.reader.read(100), seconds)
        except TimeoutError:
            return None
        except ConnectionResetError:
            return b""


@pytest_asyncio.fixture
async def client(proxy: Proxy) -> AsyncIterator[Client]:
    """A connected client that has already got one answer."""
    client = await _connect(proxy)
    client.send(b"one")
    assert await client.receive() == b"ONE"
    yield client
    client.writer.close()


async def _connect(proxy: Proxy) -> Client:
    return Client(*await asyncio.open_connection(LOOPBACK, proxy.port))


async def test_a_cut_ends_the_connection_and_a_new_one_works(proxy: Proxy, client: Client) -> None:
    assert proxy.cut(1.0) == 1
    assert await client.receive() == b""
    again = await _connect(proxy)
    again.send(b"two")
    assert await again.receive() == b"TWO"
    again.writer.close()


async def test_a_share_of_zero_affects_no_connection(proxy: Proxy, client: Client) -> None:
    assert proxy.cut(0.0) == 0
    client.send(b"two")
    assert await client.receive() == b"TWO"


async def test_held_data_arrives_when_the_behaviour_changes(proxy: Proxy, client: Client) -> None:
    proxy.behave(Behaviour(held=True))
    client.send(b"two")
    assert await client.receive(MOMENT) is None
    proxy.behave(NORMAL)
    assert await client.receive() == b"TWO"


async def test_data_is_held_only_on_connections_with_the_given_opening(proxy: Proxy, client: Client) -> None:
    proxy.behave(Behaviour(held=True, only=b"second"))
    other = await _connect(proxy)
    other.send(b"the second one")
    assert await other.receive(MOMENT) is None
    client.send(b"two")
    assert await client.receive() == b"TWO"
    proxy.behave(NORMAL)
    assert await other.receive() == b"THE SECOND ONE"
    other.writer.close()


async def test_answers_are_changed(proxy: Proxy, client: Client, requests: asyncio.Queue[bytes]) -> None:
    proxy.behave(Behaviour(changed=lambda answer: answer.replace(b"WO", b"OW")))
    client.send(b"two")
    assert await client.receive() == b"TOW"
    assert [requests.get_nowait(), requests.get_nowait()] == [b"one", b"two"]


async def test_delayed_data_arrives_later(proxy: Proxy, client: Client) -> None:
    proxy.behave(Behaviour(delay=2 * MOMENT))
    client.send(b"two")
    assert await client.receive(MOMENT) is None
    assert await client.receive() == b"TWO"


@pytest.mark.parametrize("direction", Direction)
async def test_a_connection_that_lost_data_is_cut_when_the_behaviour_changes(
    proxy: Proxy, client: Client, direction: Direction
) -> None:
    proxy.behave(Behaviour(swallowed=frozenset({direction})))
    client.send(b"two")
    assert await client.receive(MOMENT) is None
    proxy.behave(NORMAL)
    assert await client.receive() == b""


async def test_only_new_connections_are_refused(proxy: Proxy, client: Client) -> None:
    proxy.behave(Behaviour(refused=True))
    late = await _connect(proxy)
    assert await late.receive() == b""
    late.writer.close()
    client.send(b"two")
    assert await client.receive() == b"TWO"


async def test_half_closing_answers_does_not_end_requests(
    proxy: Proxy, client: Client, requests: asyncio.Queue[bytes]
) -> None:
    assert await requests.get() == b"one"
    assert proxy.half_close(1.0, Direction.ANSWERS) == 1
    assert await client.receive() == b""
    client.send(b"two")
    assert await asyncio.wait_for(requests.get(), SECONDS) == b"two"
    assert len(proxy.links) == 1
