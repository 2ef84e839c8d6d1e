"""How much of requests the door holds at a time: bytes in, or a refusal. What does not fit is left with its sender.
Without it, whoever sends faster than Kafka takes it would fill the memory with bodies that wait.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from daybook_command.http.problems import refuse
from daybook_command.metrics import DOOR_HELD
from daybook_contracts.codes import Code

# Bodies alone; what is made of them until they are answered takes several times as much.
MOST_BYTES: Final = 64 * 1024 * 1024
# What a request costs beside its body, so that very many small ones count too.
REQUEST_BYTES: Final = 4 * 1024

FULL: Final = "Too much is being taken in here; nothing was done. Send it again."


class Room:
    def __init__(self, most: int = MOST_BYTES) -> None:
        self._left = most

    @contextmanager
    def share(self) -> Iterator["Share"]:
        """A request's, given back once it is answered. Raises Refused, as its `take` does."""
        share = Share(self)
        try:
            share.take(REQUEST_BYTES)
            yield share
        finally:
            self._give_back(share.taken)

    def fits(self, size: int) -> bool:
        return size <= self._left

    def hold(self, size: int) -> None:
        self._left -= size
        DOOR_HELD.inc(size)

    def _give_back(self, size: int) -> None:
        self._left += size
        DOOR_HELD.dec(size)


class Share:
    """It grows with what has come of the body: a sender that only announces much keeps nobody out."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self.taken = 0

    def take(self, size: int) -> None:
        """Raises Refused (503) where there is no room."""
        if not self._room.fits(size):
            raise refuse(Code.UNAVAILABLE, FULL)
        self._room.hold(size)
        self.taken += size
