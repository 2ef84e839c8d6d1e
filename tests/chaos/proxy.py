"""A TCP proxy between the services and a server, for any protocol, that causes faults on demand. Each connection has a
random rank in [0, 1). A fault on a share of the connections affects those with the lowest ranks.
"""

import asyncio
from asyncio import StreamReader, StreamWriter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum, auto
from random import Random

LOOPBACK = "127.0.0.1"
CHUNK = 65_536
OPENING = 256
"""The opening of a connection is its first chunks of requests, up to the one that makes it at least this long."""


class Direction(Enum):
    REQUESTS = auto()
    ANSWERS = auto()


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What the proxy does to connections with a rank below `share`. `delay`: seconds before it forwards a chunk.
    `swallowed`: directions whose data it discards. `held`: it keeps data until the behaviour changes. `changed`: what
    it makes of each chunk of answers. `refused`: it closes new connections at once, whatever `only` is. `only`:
    all other faults affect a connection only if its opening contains this, for example a client's name.
    """

    share: float = 1.0
    only: bytes = b""
    delay: float = 0.0
    swallowed: frozenset[Direction] = frozenset()
    held: bool = False
    changed: Callable[[bytes], bytes] | None = None
    refused: bool = False


NORMAL = Behaviour(share=0.0)


@dataclass(slots=True, eq=False)
class Link:
    """One connection. `opening`: its first requests. If it is `broken`, because data was lost or one direction
    ended, the next behaviour cuts it.
    """

    rank: float
    client: StreamWriter
    server: StreamWriter
    opening: bytes = b""
    broken: bool = False

    def cut(self) -> None:
        self.client.transport.abort()
        self.server.transport.abort()

    def half_close(self, direction: Direction) -> None:
        """Half-closes the connection: this direction ends, the other one stays open."""
        self.broken = True
        with suppress(OSError, RuntimeError):
            (self.server if direction is Direction.REQUESTS else self.client).write_eof()


@dataclass(slots=True)
class Proxy:
    random: Random
    port: int = 0
    target: int = 0
    links: set[Link] = field(default_factory=set)
    _behaviour: Behaviour = NORMAL
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _server: asyncio.Server | None = None
    _serving: set["asyncio.Task[None]"] = field(default_factory=set)

    async def start(self) -> None:
        """Listens on a free port. `target`, a port of this machine, may be set later."""
        self._server = await asyncio.start_server(self._accept, LOOPBACK, 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            self.behave(NORMAL)
            self.cut(1.0)
            await asyncio.gather(*self._serving, return_exceptions=True)

    def behave(self, behaviour: Behaviour) -> None:
        """Changes the behaviour. Forwards held data, and cuts broken links."""
        self._behaviour = behaviour
        self._changed.set()
        self._changed = asyncio.Event()
        for link in [link for link in self.links if link.broken]:
            link.cut()

    def serves(self, only: bytes) -> bool:
        """Whether there is a connection whose opening contains these bytes."""
        return any(only in link.opening for link in self.links)

    def cut(self, share: float) -> int:
        """Resets this share of the connections; returns their number."""
        chosen = self._chosen(share)
        for link in chosen:
            link.cut()
        return len(chosen)

    def half_close(self, share: float, direction: Direction) -> int:
        chosen = self._chosen(share)
        for link in chosen:
            link.half_close(direction)
        return len(chosen)

    def _chosen(self, share: float) -> list[Link]:
        return [link for link in self.links if link.rank < share]

    def _accept(self, reader: StreamReader, client: StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, client))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _serve(self, reader: StreamReader, client: StreamWriter) -> None:
        rank = self.random.random()
        if self._behaviour.refused and rank < self._behaviour.share:
            client.transport.abort()
            return
        try:
            answers, server = await asyncio.open_connection(LOOPBACK, self.target)
        except OSError:
            client.transport.abort()
            return
        link = Link(rank, client, server)
        self.links.add(link)
        try:
            async with asyncio.TaskGroup() as pumps:
                pumps.create_task(self._pump(link, reader, server, Direction.REQUESTS))
                pumps.create_task(self._pump(link, answers, client, Direction.ANSWERS))
        except* OSError:
            link.cut()
        finally:
            self.links.discard(link)
            await _closed(client, server)

    async def _pump(self, link: Link, reader: StreamReader, writer: StreamWriter, direction: Direction) -> None:
        while data := await reader.read(CHUNK):
            if direction is Direction.REQUESTS and len(link.opening) < OPENING:
                link.opening += data
            if await self._admit_chunk(link, direction) and not writer.transport.is_closing():
                change = self._behaviour.changed
                if change and direction is Direction.ANSWERS and self._is_affected(link):
                    data = change(data)
                with suppress(RuntimeError):  # the link is half-closed in this direction
                    writer.write(data)
                    await writer.drain()
        with suppress(RuntimeError):
            writer.write_eof()

    async def _admit_chunk(self, link: Link, direction: Direction) -> bool:
        """Waits while a chunk is held or delayed; returns whether to forward it."""
        while self._behaviour.held and self._is_affected(link):
            await self._changed.wait()
        behaviour = self._behaviour
        if not self._is_affected(link):
            return True
        if behaviour.delay:
            await asyncio.sleep(behaviour.delay)
        swallowed = direction in behaviour.swallowed
        link.broken = link.broken or swallowed
        return not swallowed

    def _is_affected(self, link: Link) -> bool:
        return link.rank < self._behaviour.share and self._behaviour.only in link.opening


async def _closed(*writers: StreamWriter) -> None:
    for writer in writers:
        writer.close()
    for writer in writers:
        with suppress(OSError):
            await writer.wait_closed()
