"""A long command that is ended by a signal: its worker processes end too, and its temporary folder is removed unless
the command was killed.
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.command_with_worker import INTERRUPTED

TESTS = Path(__file__).parents[3]
SECONDS = 90
IGNORING_CTRL_C = ("sh", "-c", 'trap "" INT; exec "$@"', "sh")
"""Starts a program as a shell starts a background job: with SIGINT ignored."""


@dataclass(frozen=True, slots=True)
class Running:
    """`worker`: the connection of the worker, which ends when the worker ends."""

    command: asyncio.subprocess.Process
    worker: asyncio.StreamReader
    folder: Path

    async def ended(self) -> int:
        """The command's exit code, when the worker has ended too."""
        async with asyncio.timeout(SECONDS):
            code = await self.command.wait()
            assert await self.worker.read() == b""
            return code


@asynccontextmanager
async def command(state: str, *before: str) -> AsyncIterator[Running]:
    connected: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
    server = await asyncio.start_server(lambda *pair: connected.put_nowait(pair), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    started = await asyncio.create_subprocess_exec(
        *(*before, sys.executable, "-m", "support.command_with_worker", str(port), state),
        env=os.environ | {"PYTHONPATH": str(TESTS)},
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(SECONDS):
            reader, writer = await connected.get()
            _, folder = (await reader.readline()).decode().split()
        yield Running(started, reader, Path(folder))
        writer.close()
    finally:
        server.close()
        with suppress(ProcessLookupError):
            os.killpg(started.pid, signal.SIGKILL)
        await started.wait()


@pytest.mark.parametrize("state", ["busy", "idle"])
async def test_workers_end_when_their_command_is_killed(state: str) -> None:
    async with command(state) as running:
        running.command.kill()
        assert await running.ended() == -signal.SIGKILL
        running.folder.rmdir()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_a_signal_to_all_processes_is_an_interruption(number: signal.Signals) -> None:
    async with command("busy") as running:
        os.killpg(running.command.pid, number)
        assert await running.ended() == INTERRUPTED
        assert not running.folder.exists()


@pytest.mark.parametrize("before", [(), IGNORING_CTRL_C], ids=["foreground", "background"])
async def test_sigterm_to_the_command_is_an_interruption(before: tuple[str, ...]) -> None:
    async with command("busy", *before) as running:
        running.command.terminate()
        assert await running.ended() == INTERRUPTED
        assert not running.folder.exists()
