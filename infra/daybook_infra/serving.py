"""Serving HTTP until SIGTERM or SIGINT: an application and an address in, a clean return out."""

import asyncio
import contextlib
import gc
import signal
import socket
from collections.abc import Generator

import uvicorn
from starlette.types import ASGIApp

from daybook_infra.errors import DaybookError

# In-flight requests wait for a decision at most DAYBOOK_WAIT_SECONDS; whoever is still there after this is cut off.
STOP_SECONDS = 10


class _Server(uvicorn.Server):
    """uvicorn's own handlers raise the signal again in the end, which would be an exit code of failure."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


async def serve(app: ASGIApp, host: str, port: int, stop: asyncio.Event) -> None:
    """Returns once `stop` is set, or a signal came, and the requests under way are answered.

    Raises DaybookError where the address is taken or not ours.
    """
    listener = bind(host, port)
    config = uvicorn.Config(
        app,
        loop="none",
        http="httptools",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=STOP_SECONDS,
    )
    server = _Server(config)
    loop = asyncio.get_running_loop()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signal_number, stop.set)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        server.should_exit = True
        await serving


def bind(host: str, port: int) -> socket.socket:
    """A listening address; raises DaybookError that says what to do."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise DaybookError(f"cannot listen on {host}:{port} ({error.strerror}); name another with --port") from error
    return listener


async def end(task: "asyncio.Task[None]") -> None:
    """Cancels what still runs, and raises what else ended it."""
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        return


def settle_garbage() -> None:
    """What start-up made stays: the collector need not look at it again, nor at every few hundred entries."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 50, 100)
