"""A blocking file, read beside the event loop: a file in, its lines out as they come."""

import asyncio
import threading
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import BinaryIO

READ_AHEAD = 100


async def read_lines(file: BinaryIO) -> AsyncGenerator[bytes]:
    """Stripped, blank ones left out. Raises what reading raised. `file` is a real one: it has a descriptor.

    The thread is a daemon: a terminal that sends nothing must not hold up the end of the program.
    """
    loop = asyncio.get_running_loop()
    ahead: asyncio.Queue[bytes | OSError | None] = asyncio.Queue()
    room = threading.Semaphore(READ_AHEAD)

    def put(item: bytes | OSError | None) -> None:
        # A loop that has ended wants no more lines.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(ahead.put_nowait, item)

    def read() -> None:
        try:
            # A reader of its own: Python closes stdin's at the end, and cannot while a thread waits in it.
            for line in open(file.fileno(), "rb", closefd=False):  # noqa: SIM115 - nothing to close
                room.acquire()
                put(line)
        except OSError as error:
            put(error)
        else:
            put(None)

    threading.Thread(target=read, daemon=True, name="lines").start()
    while (line := await ahead.get()) is not None:
        if isinstance(line, OSError):
            raise line
        room.release()
        if line.strip():
            yield line.strip()
