"""Writes to a pipe, terminal or file without blocking the event loop, however slow its reader is."""

import asyncio
import os
import select
from typing import Final

PAUSE_SECONDS: Final = 0.05
# A writable pipe takes at least this many bytes without blocking.
CHUNK_BYTES: Final = select.PIPE_BUF


class Output:
    """Every method raises BrokenPipeError if the reader of a pipe has gone."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLOUT)

    async def write(self, data: bytes) -> None:
        """A cancelled call may have written a part of the data."""
        rest = memoryview(data)
        while rest:
            if self.check_reader():
                rest = rest[os.write(self._descriptor, rest[:CHUNK_BYTES]) :]
            else:
                await asyncio.sleep(PAUSE_SECONDS)

    def check_reader(self) -> bool:
        """Whether the output can be written to now."""
        events = self._poll.poll(0)
        if any(event & select.POLLERR for _, event in events):
            raise BrokenPipeError
        return bool(events)
