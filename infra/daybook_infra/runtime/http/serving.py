"""Serves HTTP until SIGTERM or SIGINT: applications and their addresses in. Returns after a clean stop."""

import asyncio
import contextlib
import socket
from collections.abc import Generator, Sequence
from dataclasses import dataclass

import uvicorn
from starlette.types import ASGIApp

from daybook_infra.runtime.errors import DaybookError
from daybook_infra.runtime.http import refusals
from daybook_infra.runtime.http.config import BoundedConfig
from daybook_infra.runtime.http.connections import Connections
from daybook_infra.runtime.http.limits import BACKLOG
from daybook_infra.runtime.signals import STOPPING_SIGNALS

# A tick is 0.1 s, so connections are closed up to half a second after their time limits.
TICKS_PER_SWEEP = 5


@dataclass(frozen=True, slots=True)
class Site:
    """An application and its address. `port_from` names the option or variable that sets the port. `overloaded` answers
    the requests that the application is too busy for.
    """

    app: ASGIApp
    host: str
    port: int
    connections: Connections
    port_from: str = "--port"
    overloaded: ASGIApp = refusals.overloaded


class _Server(uvicorn.Server):
    def __init__(self, site: Site) -> None:
        super().__init__(BoundedConfig(site.app, site.connections, site.overloaded))
        self._connections = site.connections

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Captures nothing. uvicorn's own method raises the signal again at the end, which would be an error exit."""
        yield

    async def on_tick(self, counter: int) -> bool:
        """Called by uvicorn every 0.1 s."""
        if counter % TICKS_PER_SWEEP == 0:
            self._connections.sweep(asyncio.get_running_loop().time())
        return await super().on_tick(counter)


async def serve(sites: Sequence[Site], stop: asyncio.Event) -> None:
    """Serves until `stop` is set or a signal arrives. Then answers the requests under way and returns.

    Raises DaybookError if an address is taken or does not belong to this machine.
    """
    with contextlib.ExitStack() as closing:
        listeners = [closing.enter_context(bind(site.host, site.port, site.port_from)) for site in sites]
        servers = [_Server(site) for site in sites]
        loop = asyncio.get_running_loop()
        for number in STOPPING_SIGNALS:
            loop.add_signal_handler(number, stop.set)
        serving = {
            asyncio.create_task(server.serve(sockets=[listener]))
            for server, listener in zip(servers, listeners, strict=True)
        }
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({*serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            for server in servers:
                server.should_exit = True
            await asyncio.gather(*serving)


def bind(host: str, port: int, port_from: str = "--port") -> socket.socket:
    """Returns a socket that listens at the address. Raises DaybookError if that fails."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        # Listen here and not later: several sockets can bind one address, but only one can listen at it.
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise DaybookError(
            f"cannot listen on {host}:{port} ({error.strerror}); choose another port with {port_from}"
        ) from error
    return listener


async def cancel_and_wait(task: "asyncio.Task[None]") -> None:
    """Cancels the task and waits for its end. Raises the task's own exception if it failed."""
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        return
