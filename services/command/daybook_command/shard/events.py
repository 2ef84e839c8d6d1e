"""Events: what the engine tells a shard. Plain values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from daybook_command.shard.records import CommandRecord, LogRecord
from daybook_command.shard.snapshot import Snapshot
from daybook_contracts.log.head import Checkpoint


@dataclass(frozen=True, slots=True)
class TakenOver:
    """The checkpoint, the log's records from the checkpoint's `first_to_read` to the end, and the log's bounds."""

    checkpoint: Checkpoint
    records: Sequence[LogRecord]
    log_start: int
    log_end: int


@dataclass(frozen=True, slots=True)
class EndsRead:
    """The end of each partition of the log, read after the shard's takeover with the number `takeover` began."""

    takeover: int
    ends: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class CommandsArrived:
    records: Sequence[CommandRecord]


@dataclass(frozen=True, slots=True)
class LocalArrived:
    """The door has queued local commands (`Shard.queue_local`)."""


@dataclass(frozen=True, slots=True)
class TopicRead:
    """The end of the partition's commands topic, read after the shard's takeover with the number `takeover` began. All
    commands below the offset `position` have been given to the shard, or are decided.
    """

    takeover: int
    position: int
    end: int


@dataclass(frozen=True, slots=True)
class SnapshotLoaded:
    """`salts`: 16 random bytes for each command of the batch; `now_us`: this machine's clock."""

    snapshot: Snapshot
    now_us: int
    salts: bytes


@dataclass(frozen=True, slots=True)
class Pinned:
    """The users can no longer be deleted, except those in `gone`, who are deleted already."""

    gone: frozenset[str]


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The batch is in Kafka. `base_offset`: the offset of its first record; None if the broker did not return it."""

    base_offset: int | None


@dataclass(frozen=True, slots=True)
class AppendUnknown:
    """The append was neither acknowledged nor refused within its deadline."""


@dataclass(frozen=True, slots=True)
class AppendRefused:
    """The broker refused the batch, and would refuse it again. None of its records is in the log."""

    reason: str


@dataclass(frozen=True, slots=True)
class GapRead:
    """The log's records from the shard's head to the last record of the shard's batch. If there is no head yet, they
    start at the folded end.
    """

    records: Sequence[LogRecord]


@dataclass(frozen=True, slots=True)
class Answered:
    """Kafka has acknowledged all records of an `Answer`."""

    next_offset: int | None


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
    """Some time has passed. If the shard waits for something, it checks again."""


Arriving = CommandsArrived | LocalArrived | RunsOverdue | EndsRead | TopicRead
"""Events that may let a ready shard start a batch."""
Event = (
    TakenOver
    | EndsRead
    | CommandsArrived
    | LocalArrived
    | TopicRead
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
