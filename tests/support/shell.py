"""Runs the `daybook` command line; returns its exit code and both outputs."""

import asyncio
import sys
from dataclasses import dataclass

from click.testing import CliRunner, Result

from daybook_infra.operations.cli import main
from daybook_infra.runtime.settings import Settings
from support.processes import environment

# `daybook status` asks one server after another, and each may be slow to answer.
SECONDS = 90.0


@dataclass(frozen=True, slots=True)
class Completed:
    code: int | None
    stdout: str
    stderr: str


async def start(settings: Settings, *arguments: str, **env: str) -> asyncio.subprocess.Process:
    pipe = asyncio.subprocess.PIPE
    program = (sys.executable, "-m", "daybook_infra", *arguments)
    around = environment(settings) | env
    return await asyncio.create_subprocess_exec(*program, env=around, stdin=pipe, stdout=pipe, stderr=pipe)


async def finish(process: asyncio.subprocess.Process, given: bytes = b"", *, seconds: float = SECONDS) -> Completed:
    """Writes `given` to the process's input and waits for its end."""
    stdout, stderr = await asyncio.wait_for(process.communicate(given), seconds)
    return Completed(process.returncode, stdout.decode(), stderr.decode())


async def run_daybook(settings: Settings, *arguments: str, given: bytes = b"", **env: str) -> Completed:
    return await finish(await start(settings, *arguments, **env), given)


def invoke(settings: Settings, *arguments: str) -> Result:
    """Runs the command line in this process."""
    return CliRunner().invoke(main, arguments, env=environment(settings))
