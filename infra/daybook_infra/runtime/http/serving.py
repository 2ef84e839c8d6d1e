"""Serving HTTP until SIGTERM or SIGINT: applications and their addresses in, a clean return out."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Generator, Sequence
from dataclasses import dataclass

import uvicorn
from starlette.types import ASGIApp

from daybook_infra.runtime.errors import DaybookError
from daybook_infra.runtime.http.config import BoundedConfig
from daybook_infra.runtime.http.connections import Connections
from daybook_infra.runtime.http.limits import BACKLOG

# Limits on time are kept to about this.
TICKS_PER_SWEEP = 5


@dataclass(frozen=True, slots=True)
class Site:
    """What is served at one address. `port_from` is how a user says another port."""

    app: ASGIApp
    host: str
    port: int
    connections: Connections
    port_from: str = "--port"


class _Server(uvicorn.Server):
    def __init__(self, site: Site) -> None:
        super().__init__(BoundedConfig(site.app, site.connections))
        self._connections = site.connections

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """The original raises a captured signal again in the end, which would be an exit code of failure."""
        yield

    async def on_tick(self, counter: int) -> bool:
        """Every 0.1 s."""
        if counter % TICKS_PER_SWEEP == 0:
            self._connections.sweep(asyncio.get_running_loop().time())
        return await super().on_tick(counter)


async def serve(sites: Sequence[Site], stop: asyncio.Event) -> None:
    """Returns once `stop` is set, or a signal came, and the requests under way are answered.

    Raises DaybookError where an address is taken or not ours.
    """
    with contextlib.ExitStack() as closing:
        listeners = [closing.enter_context(bind(site.host, site.port, site.port_from)) for site in sites]
        servers = [_Server(site) for site in sites]
        loop = asyncio.get_running_loop()
        for signal_number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(signal_number, stop.set)
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
    """A listening address; raises DaybookError that says what to do."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        # Here, because two may bind an address at a time, but only one may listen.
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise DaybookError(
            f"cannot listen on {host}:{port} ({error.strerror}); name another with {port_from}"
        ) from error
    return listener


async def cancel_and_wait(task: "asyncio.Task[None]") -> None:
    """Raises what ended the task, unless that was the cancellation."""
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        return
