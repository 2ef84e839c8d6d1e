"""Writes to a pipe, terminal or file without blocking the event loop, however slow its reader is."""

import asyncio
import os
import select
from typing import Final

PAUSE_SECONDS: Final = 0.05
# A pipe that can be written to takes so many bytes at once without blocking.
CHUNK_BYTES: Final = select.PIPE_BUF


class Output:
    """Every method raises BrokenPipeError if the reader of a pipe has gone."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLOUT)

    async def write(self, data: bytes) -> None:
        """If it is cancelled, a part is written."""
        rest = memoryview(data)
        while rest:
            if self.check_reader():
                rest = rest[os.write(self._descriptor, rest[:CHUNK_BYTES]) :]
            else:
                await asyncio.sleep(PAUSE_SECONDS)

    def check_reader(self) -> bool:
        """Whether it can be written to now."""
        events = self._poll.poll(0)
        if any(event & select.POLLERR for _, event in events):
            raise BrokenPipeError
        return bool(events)
