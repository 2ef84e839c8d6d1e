"""The settings of a shard, its phase, and the batch in flight."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum, auto
from typing import Final

from msgspec import Struct

from daybook_command.shard.arrivals import Arrival, offsets_of
from daybook_command.shard.effects import Answer, LogAppend, Reply
from daybook_command.shard.events import (
    Acknowledged,
    AppendRefused,
    AppendUnknown,
    Event,
    GapRead,
    LogOpened,
    LogRead,
    LookUpRefused,
    Pinned,
    SnapshotLoaded,
)
from daybook_command.shard.intake import TakenCommand
from daybook_command.shard.snapshot import Needs
from daybook_command.shard.tail import TailLimit
from daybook_contracts.log.head import GENESIS, Head
from daybook_contracts.senders.sender_rules import NO_RULES, SenderRules

# Maximum number of commands in a batch. Parsing or deciding one blocks the event loop, for up to 0.15 ms per command.
MAX_COMMANDS: Final = 128


class ShardConfig(Struct, frozen=True):
    """`max_tail`: in bytes, for all shards of the process. `max_commands`: per batch. `cache_bytes`: for this shard
    only.
    """

    partitions: int
    cache_bytes: int
    max_tail: int
    managed_users: bool
    max_commands: int = MAX_COMMANDS
    rules: SenderRules = NO_RULES

    @property
    def tail_limit(self) -> TailLimit:
        return TailLimit(self.max_tail, self.partitions)


class ShardPhase(StrEnum):
    """BEHIND: too many entries are not projected, so the shard has folded nothing, and waits before it takes over."""

    TAKING_OVER = auto()
    BEHIND = auto()
    READY = auto()
    LOADING = auto()
    PINNING = auto()
    APPENDING = auto()
    CHECKING = auto()
    STOPPED = auto()


WITHOUT_MEMORY: Final = (ShardPhase.TAKING_OVER, ShardPhase.BEHIND, ShardPhase.STOPPED)
"""The phases in which a shard does not know the head of its log."""

EXPECTED_PHASE: Final[dict[type[Event], ShardPhase]] = {
    LogOpened: ShardPhase.TAKING_OVER,
    LogRead: ShardPhase.TAKING_OVER,
    SnapshotLoaded: ShardPhase.LOADING,
    LookUpRefused: ShardPhase.LOADING,
    Pinned: ShardPhase.PINNING,
    Acknowledged: ShardPhase.APPENDING,
    AppendUnknown: ShardPhase.APPENDING,
    AppendRefused: ShardPhase.APPENDING,
    GapRead: ShardPhase.CHECKING,
}
"""For each event, the only phase in which it is expected. Events that may come in any phase are not listed."""


@dataclass(slots=True)
class BatchInFlight:
    """`arrivals`: the arrivals of the commands `taken`; empty for the shard's own commands. `first_offset`: the offset
    of the first record among them, even if it was put back into the queue; None if there was none. `base`: the log's
    head when the batch was decided. `projected`: the position up to which the log was projected then. `local`: the
    replies to local commands. `local_count`: how many of the arrivals are local commands.
    """

    arrivals: Sequence[Arrival] = ()
    taken: Sequence[TakenCommand] = ()
    needs: Needs = field(default_factory=Needs)
    base: Head = GENESIS
    projected: int = -1
    appends: tuple[LogAppend, ...] = ()
    answer: Answer | None = None
    local: tuple[Reply, ...] = ()
    first_offset: int | None = field(init=False)
    local_count: int = field(init=False)

    def __post_init__(self) -> None:
        offsets = offsets_of(self.arrivals)
        self.first_offset = offsets[0] if offsets else None
        self.local_count = len(self.arrivals) - len(offsets)
