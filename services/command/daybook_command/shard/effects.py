"""Effects: what a shard asks for. Plain values; the engine carries them out and answers with events."""

from dataclasses import dataclass

from daybook_command.shard.records import CommandRecord, LogRecord
from daybook_command.shard.snapshot import Needs
from daybook_contracts.entries.reading import TrustedEntry


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
