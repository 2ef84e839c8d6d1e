"""Waits until positions of the log are projected. One query polls for all waiting requests together."""

import asyncio
import re
from dataclasses import dataclass
from typing import Final

from daybook_infra.runtime.errors import DatabaseAway
from daybook_projector.read_api.database import ReadDatabase

POSITION: Final = re.compile(r"([0-9]{1,5})\.([0-9]{1,18})", re.ASCII)
POLL_SECONDS: Final = 0.01
# A wait of at most this long makes one query of its own. If it joined the poll, it could time out before the first
# answer, even if the position is already in the tables.
LOOK_SECONDS: Final = 0.1


@dataclass(frozen=True, slots=True)
class Position:
    partition: int
    number: int

    def __str__(self) -> str:
        return f"{self.partition}.{self.number}"


def parse_position(text: str, partitions: int) -> Position | None:
    """None if the text is not a position, or if the log has no such partition."""
    found = POSITION.fullmatch(text)
    if found is None or int(found[1]) >= partitions:
        return None
    return Position(int(found[1]), int(found[2]))


class ProjectedPositions:
    def __init__(self, database: ReadDatabase) -> None:
        self._database = database
        self._waiting: dict[asyncio.Future[None], Position] = {}
        self._looking: asyncio.Task[None] | None = None

    async def wait(self, position: Position, seconds: float) -> bool:
        """Waits at most `seconds`. Returns whether the position is in the tables. Raises DatabaseAway."""
        if seconds <= LOOK_SECONDS:
            return (await self._database.checkpoints([position.partition])).get(position.partition, -1) >= (
                position.number
            )
        waiter = asyncio.get_running_loop().create_future()
        self._waiting[waiter] = position
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        try:
            async with asyncio.timeout(seconds):
                await waiter
        except TimeoutError:
            return False
        finally:
            del self._waiting[waiter]
        return True

    async def _look(self) -> None:
        while self._waiting:
            partitions = sorted({position.partition for position in self._waiting.values()})
            try:
                self._resolve(await self._database.checkpoints(partitions))
            except DatabaseAway as error:
                for waiter in self._waiting:
                    if not waiter.done():
                        waiter.set_exception(error)
                return
            await asyncio.sleep(POLL_SECONDS)

    def _resolve(self, projected: dict[int, int]) -> None:
        for waiter, position in self._waiting.items():
            if projected.get(position.partition, -1) >= position.number and not waiter.done():
                waiter.set_result(None)
