"""A blocking file, read beside the event loop: a file in, its lines out as they come."""

import asyncio
import threading
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import BinaryIO

READ_AHEAD = 100


async def read_lines(file: BinaryIO) -> AsyncGenerator[bytes]:
    """Stripped, blank ones left out. Raises what reading raised.

    The thread is a daemon: a terminal that sends nothing must not hold up the end of the program.
    """
    loop = asyncio.get_running_loop()
    ahead: asyncio.Queue[bytes | OSError | None] = asyncio.Queue(READ_AHEAD)

    def put(item: bytes | OSError | None) -> None:
        asyncio.run_coroutine_threadsafe(ahead.put(item), loop).result()

    def read() -> None:
        # A loop that has ended wants no more lines.
        with suppress(RuntimeError):
            try:
                for line in file:
                    put(line)
            except OSError as error:
                put(error)
            else:
                put(None)

    threading.Thread(target=read, daemon=True, name="lines").start()
    while (line := await ahead.get()) is not None:
        if isinstance(line, OSError):
            raise line
        if line.strip():
            yield line.strip()
