"""The `daybook` command line as used from a shell: arguments in, exit code and both outputs out."""

import asyncio
import sys
from dataclasses import dataclass

from daybook_infra.runtime.settings import Settings
from support.processes import environment

# `status` asks one server after the other, and each may let it wait.
SECONDS = 90.0


@dataclass(frozen=True, slots=True)
class Ended:
    code: int | None
    said: str
    complained: str


async def start(settings: Settings, *arguments: str) -> asyncio.subprocess.Process:
    pipe = asyncio.subprocess.PIPE
    program = (sys.executable, "-m", "daybook_infra", *arguments)
    return await asyncio.create_subprocess_exec(*program, env=environment(settings), stdout=pipe, stderr=pipe)


async def end(process: asyncio.subprocess.Process) -> Ended:
    said, complained = await asyncio.wait_for(process.communicate(), SECONDS)
    return Ended(process.returncode, said.decode(), complained.decode())


async def at_a_shell(settings: Settings, *arguments: str) -> Ended:
    return await end(await start(settings, *arguments))
