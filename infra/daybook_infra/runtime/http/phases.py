"""The phases of a connection, the HTTP versions that it may use, and the reasons to stop its parser."""

from enum import Enum, auto
from typing import Final


class Phase(Enum):
    """What the server waits for; in WORK the client waits for the server."""

    HEAD = auto()
    BODY = auto()
    WORK = auto()
    IDLE = auto()
    # The request was answered before it had arrived completely; the rest is discarded.
    DISCARD = auto()


# Names for the members: in Python 3.11, each look-up of `Phase.WORK` takes 0.1 µs, and a request needs about twenty.
HEAD, BODY, WORK, IDLE, DISCARD = Phase

HTTP_VERSIONS: Final = frozenset({"1.0", "1.1"})


class HeadTooLarge(Exception):
    pass


class TooManyPipelined(Exception):
    pass


class UnknownVersion(Exception):
    """HTTP/0.9, which the parser would accept."""


class _Trailers(list[tuple[bytes, bytes]]):
    """Drops the fields after a chunked body: they must neither count as headers nor use memory."""

    def append(self, _: tuple[bytes, bytes]) -> None:
        pass


NO_TRAILERS: Final = _Trailers()
