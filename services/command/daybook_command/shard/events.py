"""Events: what the engine tells a shard. Plain values."""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from daybook_command.shard.records import CommandRecord, LogRecord
from daybook_command.shard.snapshot import Snapshot
from daybook_contracts.log.head import Checkpoint


class LogOpened(Struct, frozen=True, gc=False):
    """The checkpoint, and the log's bounds. Slices (`LogRead`) from the checkpoint's `first_to_read` up to `log_end`
    follow, as long as the shard is taking over. If the log loses its beginning or its end meanwhile, a second
    `LogOpened` may come instead of further slices. Its `ended_at` is the `log_end` of the first one.
    """

    checkpoint: Checkpoint
    log_start: int
    log_end: int
    ended_at: int = 0


class LogRead(Struct, frozen=True, gc=False):
    """The next slice of the log: its records, and the offset at which the following slice begins. `elsewhere`: as in
    `Tick`.
    """

    records: Sequence[LogRecord]
    next_offset: int
    elsewhere: int = 0


class EndsRead(Struct, frozen=True, gc=False):
    """The end of each partition of the log, read after the shard began its takeover number `takeover`."""

    takeover: int
    ends: Mapping[int, int]


class CommandsArrived(Struct, frozen=True, gc=False):
    records: Sequence[CommandRecord]


class LocalArrived(Struct, frozen=True, gc=False):
    """The door has queued local commands (`Shard.queue_local`)."""


class TopicRead(Struct, frozen=True, gc=False):
    """The end of the partition of the commands topic, read after the shard began its takeover number `takeover`. All
    commands below the offset `position` have been given to the shard, or are decided.
    """

    takeover: int
    position: int
    end: int


class SnapshotLoaded(Struct, frozen=True, gc=False):
    """`salts`: 16 random bytes for each command of the batch; `now_us`: this machine's clock."""

    snapshot: Snapshot
    now_us: int
    salts: bytes


class LookUpRefused(Struct, frozen=True, gc=False):
    """PostgreSQL refuses to load the snapshot, because of the size or the values of the look-up, and would refuse it
    again.
    """

    reason: str


class Pinned(Struct, frozen=True, gc=False):
    """The users can no longer be deleted, except those in `gone`, who are deleted already."""

    gone: frozenset[str]


class Acknowledged(Struct, frozen=True, gc=False):
    """The batch is in Kafka. `base_offset`: the offset of its first record; None if the broker did not return it."""

    base_offset: int | None


class AppendUnknown(Struct, frozen=True, gc=False):
    """The append was neither acknowledged nor refused within its deadline."""


class AppendRefused(Struct, frozen=True, gc=False):
    """The broker refused the batch, and would refuse it again. None of its records is in the log."""

    reason: str


class GapRead(Struct, frozen=True, gc=False):
    """The log's records from the shard's head to the last record of the shard's batch. If there is no head yet, they
    start at the folded end. `log_start`: the offset at which the log begins.
    """

    records: Sequence[LogRecord]
    log_start: int = 0


class Answered(Struct, frozen=True, gc=False):
    """Kafka has acknowledged all records of an `Answer`."""

    next_offset: int | None


class OverdueRun(Struct, frozen=True, gc=False):
    org_id: str
    sync_run_id: str


class RunsOverdue(Struct, frozen=True, gc=False):
    """Runs of this partition that have been running for too long."""

    runs: Sequence[OverdueRun]


class Tick(Struct, frozen=True, gc=False):
    """Some time has passed. If the shard waits for something, it checks again. `elsewhere`: how many bytes the tails of
    the process's other shards take beyond their shares (`TailLimit`).
    """

    elsewhere: int = 0


Arriving = CommandsArrived | LocalArrived | RunsOverdue | EndsRead | TopicRead
"""Events that may let a ready shard start a batch."""
Event = (
    LogOpened
    | LogRead
    | EndsRead
    | CommandsArrived
    | LocalArrived
    | TopicRead
    | SnapshotLoaded
    | LookUpRefused
    | Pinned
    | Acknowledged
    | AppendUnknown
    | AppendRefused
    | GapRead
    | Answered
    | RunsOverdue
    | Tick
)
