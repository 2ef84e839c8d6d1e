"""What a shard is told (events) and what it asks for (effects): plain values, no behaviour.

The edge carries the effects out and tells the shard what came of them; the shard itself never does I/O.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from daybook_command.shard.lookup import Needs, Snapshot
from daybook_contracts.entries.reading import TrustedEntry
from daybook_contracts.limits import ENVELOPE_BYTES
from daybook_contracts.log.head import Checkpoint

Headers = tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True)
class CommandRecord:
    """A record of the commands topic; `timestamp_ms` is Kafka's. One record stands for a batch that is too large to be
    read: at the batch's last offset, without key, value and headers, and `lost_from` is the batch's first offset.
    """

    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    timestamp_ms: int
    lost_from: int | None = None

    @property
    def first_offset(self) -> int:
        return self.offset if self.lost_from is None else self.lost_from

    @property
    def is_oversize(self) -> bool:
        """Whether it is larger than any command. Its value may be cut to the beginning; no dead letter keeps it."""
        return self.value is not None and len(self.value) > ENVELOPE_BYTES


@dataclass(frozen=True, slots=True)
class LogRecord:
    """`offsets`: how many it stands for, up to its own; more than one if it replaces a batch too large to be read."""

    offset: int
    value: bytes | None
    offsets: int = 1


# Events


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
    """Runs of this partition that were under way for too long when the outside looked."""

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


# Effects


@dataclass(frozen=True, slots=True)
class TakeOver:
    """Read the checkpoint, then the log from its `first_to_read` to the end; answer with `TakenOver`."""


@dataclass(frozen=True, slots=True)
class LoadSnapshot:
    """Answer with `SnapshotLoaded`, with a salt for each of `commands`."""

    needs: Needs
    commands: int


@dataclass(frozen=True, slots=True)
class Pin:
    """Keep these users from being deleted before they are projected; answer with `Pinned`."""

    user_ids: frozenset[str]


@dataclass(frozen=True, slots=True)
class LogAppend:
    """One record of the batch that is to be appended: an entry, its bytes, and the trace that it is part of."""

    trusted: TrustedEntry
    value: bytes
    traceparent: bytes | None


@dataclass(frozen=True, slots=True)
class Append:
    """Append as one Kafka batch; answer with `Acknowledged`, `AppendUnknown` or `AppendRefused`."""

    records: tuple[LogAppend, ...]


@dataclass(frozen=True, slots=True)
class ReadGap:
    """Read the log in [start, stop); answer with `GapRead`."""

    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Reply:
    """A results record for the sender of a command that asked for one; `command_id` is empty if unreadable."""

    command_id: str
    value: bytes
    correlation_id: bytes | None
    partition: int
    traceparent: bytes | None


@dataclass(frozen=True, slots=True)
class Forward:
    """A command that belongs to another partition, sent on as it came."""

    partition: int
    record: CommandRecord


@dataclass(frozen=True, slots=True)
class RefusedRecord:
    """A command refused without an entry; `keep_value` is False where the value holds a secret."""

    record: CommandRecord
    partition: int
    reason: str
    keep_value: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """Publish these, and answer with `Answered(next_offset)` when all of them are acknowledged."""

    replies: tuple[Reply, ...]
    forwards: tuple[Forward, ...]
    refused: tuple[RefusedRecord, ...]
    next_offset: int


@dataclass(frozen=True, slots=True)
class Commit:
    """Commit this offset of the commands topic, explicitly."""

    next_offset: int


@dataclass(frozen=True, slots=True)
class Report:
    """Something to log and count: `kind` is a stable word, `detail` is for people. `offsets`: of a void, how many."""

    kind: str
    detail: str
    error: Exception | None = None
    offsets: int = 1


def void(record: LogRecord, reason: str) -> Report:
    """A record that does not extend the log."""
    first_offset = record.offset - record.offsets + 1
    place = f"offset {record.offset}" if record.offsets == 1 else f"offsets {first_offset} to {record.offset}"
    return Report("void", f"{place}: {reason}", offsets=record.offsets)


@dataclass(frozen=True, slots=True)
class Hold:
    """The shard waits (`reason`), or goes on (None); `Tick` makes it look again."""

    reason: str | None


@dataclass(frozen=True, slots=True)
class Stop:
    """The log is not the one that was projected: nothing is decided here any more."""

    reason: str


Effect = TakeOver | LoadSnapshot | Pin | Append | ReadGap | Answer | Commit | Report | Hold | Stop
