"""What a shard is doing, and which events it takes then."""

from enum import Enum, auto
from typing import Final

from daybook_command.shard.messages import (
    Acknowledged,
    AppendRefused,
    Event,
    GapRead,
    OutcomeUnknown,
    Pinned,
    SnapshotLoaded,
    TakenOver,
)


class Phase(Enum):
    TAKING_OVER = auto()
    READY = auto()
    LOADING = auto()
    PINNING = auto()
    APPENDING = auto()
    CHECKING = auto()
    STOPPED = auto()


EXPECTED: Final[dict[type[Event], Phase]] = {
    TakenOver: Phase.TAKING_OVER,
    SnapshotLoaded: Phase.LOADING,
    Pinned: Phase.PINNING,
    Acknowledged: Phase.APPENDING,
    OutcomeUnknown: Phase.APPENDING,
    AppendRefused: Phase.APPENDING,
    GapRead: Phase.CHECKING,
}
"""The phase in which an event means something; those that may come at any time are not listed."""
