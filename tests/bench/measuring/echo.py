"""The yardstick of the HTTP door: a FastAPI app that validates a command's envelope with pydantic and sends it back."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from fastapi import FastAPI
from pydantic import BaseModel

from support.processes import free_port

app = FastAPI()


class Envelope(BaseModel):
    id: UUID
    type: str
    org_id: UUID | None = None
    actor_user_id: UUID | None = None
    data: dict[str, Any]


@app.post("/v1/commands")
async def echo(envelope: Envelope) -> Envelope:
    return envelope


@dataclass(frozen=True, slots=True)
class Served:
    url: str
    pid: int


@asynccontextmanager
async def running_echo() -> AsyncIterator[Served]:
    """Stock uvicorn, with uvloop and httptools. It writes no access log, because Daybook writes none either."""
    port = free_port()
    program = ("uvicorn", "bench.measuring.echo:app", "--http", "httptools", "--port", str(port))
    async with serving(port, *program, "--no-access-log", "--log-level", "warning") as echo:
        yield echo


@asynccontextmanager
async def serving(port: int, module: str, *arguments: str, **variables: str) -> AsyncIterator[Served]:
    """Runs `python -m MODULE` with these environment variables until the end of the block."""
    folder = Path(__file__).parents[2]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module, *arguments),
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder)} | variables,
    )
    try:
        async with asyncio.timeout(30):
            while not await _is_listening(port):  # noqa: ASYNC110 - another process listens
                await asyncio.sleep(0.05)
        yield Served(f"http://127.0.0.1:{port}", process.pid)
    finally:
        process.terminate()
        await process.wait()


async def _is_listening(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True
