"""Limits how many reads of one caller use the database at a time, so that no caller takes all connections."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final
from weakref import WeakValueDictionary

from daybook_contracts.codes import Code
from daybook_infra.runtime.http.problems import refusal

TOO_MANY: Final = (
    "Your other requests are still reading, so this one read nothing. Wait for their answers, then ask again."
)


class CallerSlots:
    """Each caller has `most` slots. A read waits at most `seconds` for one."""

    def __init__(self, most: int, seconds: float) -> None:
        self._most = most
        self._seconds = seconds
        # Only callers that hold a slot or wait for one are kept: only their reads refer to the semaphores.
        self._semaphores: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    @asynccontextmanager
    async def take(self, caller: str) -> AsyncIterator[None]:
        """Raises RequestRefused (429) if the caller's other reads keep all its slots for too long."""
        semaphore = self._semaphores.setdefault(caller, asyncio.Semaphore(self._most))
        try:
            async with asyncio.timeout(self._seconds):
                await semaphore.acquire()
        except TimeoutError as error:
            raise refusal(Code.TOO_MANY_REQUESTS, TOO_MANY, headers={"Retry-After": "1"}) from error
        try:
            yield
        finally:
            semaphore.release()

    def __len__(self) -> int:
        """The number of callers that hold a slot or wait for one."""
        return len(self._semaphores)
