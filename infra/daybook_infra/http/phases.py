"""What a connection may be at, and why its parser is stopped."""

from enum import Enum, auto
from typing import Final


class Phase(Enum):
    """Whom the connection waits for. Only in WORK is it the client that waits."""

    HEAD = auto()
    BODY = auto()
    WORK = auto()
    IDLE = auto()
    # Answered, but its request has not ended: what still comes is thrown away.
    DISCARD = auto()


class HeadTooLarge(Exception):
    pass


class TooManyPipelined(Exception):
    pass


class UnknownVersion(Exception):
    """HTTP/0.9, which the parser would take."""


class _Trailers(list[tuple[bytes, bytes]]):
    """Fields after a chunked body are dropped: they must not pass for headers, nor be kept."""

    def append(self, _: tuple[bytes, bytes]) -> None:
        pass


NO_TRAILERS: Final = _Trailers()
