"""A TCP proxy that can be told to misbehave: it stands between the services and a server, and knows no protocol.
Each connection has a lot in [0, 1): a fault that takes a share of the connections takes those of the lowest lots.
"""

import asyncio
from asyncio import StreamReader, StreamWriter
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum, auto
from random import Random

LOOPBACK = "127.0.0.1"
CHUNK = 65_536


class Way(Enum):
    REQUESTS = auto()
    ANSWERS = auto()


@dataclass(frozen=True, slots=True)
class Weather:
    """What befalls the lowest `share` of the connections. `delay` is in seconds and for every chunk; `swallowed` is
    read and thrown away; `held` is kept back until the weather changes; `refused` ends new connections at once.
    """

    share: float = 1.0
    delay: float = 0.0
    swallowed: frozenset[Way] = frozenset()
    held: bool = False
    refused: bool = False


FAIR = Weather(share=0.0)


@dataclass(slots=True, eq=False)
class Link:
    """One connection. What was swallowed of it cannot be made up for: it is `broken`, and cut when the sky clears."""

    lot: float
    client: StreamWriter
    server: StreamWriter
    broken: bool = False

    def cut(self) -> None:
        self.client.transport.abort()
        self.server.transport.abort()

    def end(self, way: Way) -> None:
        """Half-closes: whoever reads that way is told that no more comes, and the other half goes on."""
        self.broken = True
        with suppress(OSError, RuntimeError):
            (self.server if way is Way.REQUESTS else self.client).write_eof()


@dataclass(slots=True)
class Proxy:
    random: Random
    port: int = 0
    target: int = 0
    links: set[Link] = field(default_factory=set)
    _weather: Weather = FAIR
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _server: asyncio.Server | None = None
    _serving: set["asyncio.Task[None]"] = field(default_factory=set)

    async def start(self) -> None:
        """Listens on a port of its own; `target`, a port of this machine, may be told later."""
        self._server = await asyncio.start_server(self._accept, LOOPBACK, 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            self.turn(FAIR)
            self.cut(1.0)
            await asyncio.gather(*self._serving, return_exceptions=True)

    def turn(self, weather: Weather) -> None:
        """What was held goes on; what is broken is cut."""
        self._weather = weather
        self._changed.set()
        self._changed = asyncio.Event()
        for link in [link for link in self.links if link.broken]:
            link.cut()

    def cut(self, share: float) -> int:
        """Ends that share of the connections, with a reset; gives how many those were."""
        chosen = self._chosen(share)
        for link in chosen:
            link.cut()
        return len(chosen)

    def end(self, share: float, way: Way) -> int:
        chosen = self._chosen(share)
        for link in chosen:
            link.end(way)
        return len(chosen)

    def _chosen(self, share: float) -> list[Link]:
        return [link for link in self.links if link.lot < share]

    def _accept(self, reader: StreamReader, client: StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, client))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _serve(self, reader: StreamReader, client: StreamWriter) -> None:
        lot = self.random.random()
        if self._weather.refused and lot < self._weather.share:
            client.transport.abort()
            return
        try:
            answers, server = await asyncio.open_connection(LOOPBACK, self.target)
        except OSError:
            client.transport.abort()
            return
        link = Link(lot, client, server)
        self.links.add(link)
        try:
            async with asyncio.TaskGroup() as pumps:
                pumps.create_task(self._pump(link, reader, server, Way.REQUESTS))
                pumps.create_task(self._pump(link, answers, client, Way.ANSWERS))
        except* OSError:
            link.cut()
        finally:
            self.links.discard(link)
            await _closed(client, server)

    async def _pump(self, link: Link, reader: StreamReader, writer: StreamWriter, way: Way) -> None:
        while data := await reader.read(CHUNK):
            if await self._passes(link, way) and not writer.transport.is_closing():
                with suppress(RuntimeError):  # its other end was told that no more comes
                    writer.write(data)
                    await writer.drain()
        with suppress(RuntimeError):
            writer.write_eof()

    async def _passes(self, link: Link, way: Way) -> bool:
        """Holds a chunk up as the weather is; false if it is swallowed."""
        while self._weather.held and link.lot < self._weather.share:
            await self._changed.wait()
        weather = self._weather
        if link.lot >= weather.share:
            return True
        if weather.delay:
            await asyncio.sleep(weather.delay)
        swallowed = way in weather.swallowed
        link.broken = link.broken or swallowed
        return not swallowed


async def _closed(*writers: StreamWriter) -> None:
    for writer in writers:
        writer.close()
    for writer in writers:
        with suppress(OSError):
            await writer.wait_closed()
