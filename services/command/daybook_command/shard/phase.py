"""What a shard is doing, and which events it takes then."""

from enum import Enum, auto
from typing import Final

from daybook_command.shard.messages import (
    Acknowledged,
    AppendRefused,
    AppendUnknown,
    Event,
    GapRead,
    Pinned,
    SnapshotLoaded,
    TakenOver,
)


class ShardPhase(Enum):
    TAKING_OVER = auto()
    READY = auto()
    LOADING = auto()
    PINNING = auto()
    APPENDING = auto()
    CHECKING = auto()
    STOPPED = auto()


EXPECTED: Final[dict[type[Event], ShardPhase]] = {
    TakenOver: ShardPhase.TAKING_OVER,
    SnapshotLoaded: ShardPhase.LOADING,
    Pinned: ShardPhase.PINNING,
    Acknowledged: ShardPhase.APPENDING,
    AppendUnknown: ShardPhase.APPENDING,
    AppendRefused: ShardPhase.APPENDING,
    GapRead: ShardPhase.CHECKING,
}
"""The phase in which an event means something; those that may come at any time are not listed."""
