"""Events: what a shard is told. Plain values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from daybook_command.shard.records import CommandRecord, LogRecord
from daybook_command.shard.snapshot import Snapshot
from daybook_contracts.log.head import Checkpoint


@dataclass(frozen=True, slots=True)
class TakenOver:
    """The log from what the checkpoint says is first to read to its end, with where the log starts and ends."""

    checkpoint: Checkpoint
    records: Sequence[LogRecord]
    log_start: int
    log_end: int


@dataclass(frozen=True, slots=True)
class EndsRead:
    """Where each partition of the log ended, some time after the shard's takeover of that number."""

    takeover: int
    ends: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class CommandsArrived:
    records: Sequence[CommandRecord]


@dataclass(frozen=True, slots=True)
class SnapshotLoaded:
    """`salts`: 16 random bytes for each command of the batch; `now_us`: this machine's clock."""

    snapshot: Snapshot
    now_us: int
    salts: bytes


@dataclass(frozen=True, slots=True)
class Pinned:
    """The users can no longer be deleted, except those in `gone`, who were deleted before."""

    gone: frozenset[str]


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The batch is in Kafka; `base_offset` is None where the broker did not say where."""

    base_offset: int | None


@dataclass(frozen=True, slots=True)
class AppendUnknown:
    """The append was neither acknowledged nor refused within its deadline."""


@dataclass(frozen=True, slots=True)
class AppendRefused:
    """The broker refused the batch for good: nothing of it is in the log."""

    reason: str


@dataclass(frozen=True, slots=True)
class GapRead:
    """The log from the shard's head record (its folded end, if there is none) up to and with its own batch."""

    records: Sequence[LogRecord]


@dataclass(frozen=True, slots=True)
class Answered:
    """Everything that an `Answer` named has been acknowledged."""

    next_offset: int


@dataclass(frozen=True, slots=True)
class OverdueRun:
    org_id: str
    sync_run_id: str


@dataclass(frozen=True, slots=True)
class RunsOverdue:
    """Runs of this partition that have been running for too long."""

    runs: Sequence[OverdueRun]


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed: look again at what the shard was waiting for."""


Event = (
    TakenOver
    | EndsRead
    | CommandsArrived
    | SnapshotLoaded
    | Pinned
    | Acknowledged
    | AppendUnknown
    | AppendRefused
    | GapRead
    | Answered
    | RunsOverdue
    | Tick
)
