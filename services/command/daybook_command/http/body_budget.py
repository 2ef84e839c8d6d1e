"""How much of requests the door holds at a time, in all and of one principal: bytes in, or a refusal.

What does not fit is left with its sender. Without it, whoever sends faster than Kafka takes it would fill the memory
with bodies that wait, and keep all others out.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from daybook_command.http.problems import refuse
from daybook_command.metrics import DOOR_HELD
from daybook_contracts.codes import Code

# Bodies alone; what is made of them until they are answered takes several times as much.
MOST_BYTES: Final = 64 * 1024 * 1024
# Of one principal: at least three others can always send.
SHARES: Final = 4
# What a command costs beside its body, so that very many small ones count too.
COMMAND_BYTES: Final = 4 * 1024

FULL: Final = "Too much is being taken in here; nothing was done. Send it again."
YOURS_FULL: Final = "Too much of yours is being taken in here; nothing was done. Wait for answers, then send it again."


class Room:
    def __init__(self, most: int = MOST_BYTES) -> None:
        self._left = most
        self._most_of_one = most // SHARES
        self._held: dict[str, int] = {}  # of those who hold any

    @contextmanager
    def share(self, principal: str) -> Iterator["Share"]:
        """A request's, given back once it is answered. Raises Refused, as its `take` does."""
        share = Share(self, principal)
        try:
            share.take(COMMAND_BYTES)
            yield share
        finally:
            self._give_back(principal, share.taken)

    def hold(self, principal: str, size: int) -> None:
        """Raises Refused (503) where there is no room."""
        if size > self._left:
            raise refuse(Code.UNAVAILABLE, FULL)
        held = self._held.get(principal, 0) + size
        if held > self._most_of_one:
            raise refuse(Code.UNAVAILABLE, YOURS_FULL)
        self._left -= size
        self._held[principal] = held
        DOOR_HELD.inc(size)

    def _give_back(self, principal: str, size: int) -> None:
        self._left += size
        DOOR_HELD.dec(size)
        left = self._held.get(principal, 0) - size
        if left > 0:
            self._held[principal] = left
        else:
            self._held.pop(principal, None)


class Share:
    """It grows with what has come of the body: a sender that only announces much keeps nobody out."""

    def __init__(self, room: Room, principal: str) -> None:
        self._room = room
        self._principal = principal
        self.taken = 0

    def take(self, size: int) -> None:
        """Raises Refused (503) where there is no room."""
        self._room.hold(self._principal, size)
        self.taken += size

    def take_commands(self, more: int) -> None:
        """What a batch's commands cost beside its body; the first is paid for."""
        self.take(more * COMMAND_BYTES)
