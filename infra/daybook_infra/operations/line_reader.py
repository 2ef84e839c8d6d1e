"""Reads lines from a blocking file without blocking the event loop."""

import asyncio
import threading
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import BinaryIO

READ_AHEAD = 100


async def read_lines(file: BinaryIO) -> AsyncGenerator[bytes]:
    """Yields stripped lines and skips blank ones. Raises OSError if reading fails. `file` must have a descriptor.

    The reading thread is a daemon, so that an idle terminal does not keep the program from ending.
    """
    loop = asyncio.get_running_loop()
    ahead: asyncio.Queue[bytes | OSError | None] = asyncio.Queue()
    unread = threading.Semaphore(READ_AHEAD)

    def hand_over(item: bytes | OSError | None) -> None:
        # The loop may have ended.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(ahead.put_nowait, item)

    def read() -> None:
        try:
            # Opens a separate reader: at exit, Python closes stdin's own reader, and closing blocks while a thread
            # waits in it.
            for line in open(file.fileno(), "rb", closefd=False):  # noqa: SIM115 - nothing to close
                unread.acquire()
                hand_over(line)
        except OSError as error:
            hand_over(error)
        else:
            hand_over(None)

    threading.Thread(target=read, daemon=True, name="lines").start()
    while (line := await ahead.get()) is not None:
        if isinstance(line, OSError):
            raise line
        unread.release()
        if line.strip():
            yield line.strip()
