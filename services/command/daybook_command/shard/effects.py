"""Effects: what a shard asks the engine to do. Plain values. The engine answers with events."""

from dataclasses import dataclass

from daybook_command.shard.records import CommandRecord, DoorRecord, LogRecord
from daybook_command.shard.snapshot import Needs
from daybook_contracts.entries.reading import TrustedEntry


@dataclass(frozen=True, slots=True)
class TakeOver:
    """Read the checkpoint, then the log from the checkpoint's `first_to_read` to the end. Answer with `TakenOver`."""


@dataclass(frozen=True, slots=True)
class LoadSnapshot:
    """Load what `needs` lists. Answer with `SnapshotLoaded`, with a salt for each of `commands` commands."""

    needs: Needs
    commands: int


@dataclass(frozen=True, slots=True)
class Pin:
    """Protect these users from deletion before they are projected. Answer with `Pinned`."""

    user_ids: frozenset[str]


@dataclass(frozen=True, slots=True)
class LogAppend:
    """One record of a batch to append: an entry, its bytes, and its trace context."""

    trusted: TrustedEntry
    value: bytes
    traceparent: bytes | None


@dataclass(frozen=True, slots=True)
class Append:
    """Append the records as one Kafka batch. Answer with `Acknowledged`, `AppendUnknown` or `AppendRefused`."""

    records: tuple[LogAppend, ...]


@dataclass(frozen=True, slots=True)
class ReadGap:
    """Read the log in [start, stop). Answer with `GapRead`."""

    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Reply:
    """A results record for a sender who asked for a reply. `command_id` is empty if it could not be read."""

    command_id: str
    value: bytes
    correlation_id: bytes | None
    partition: int
    traceparent: bytes | None


@dataclass(frozen=True, slots=True)
class Forward:
    """A command that belongs to another partition, to be forwarded unchanged."""

    partition: int
    record: CommandRecord


@dataclass(frozen=True, slots=True)
class RefusedRecord:
    """A command refused without an entry. `keep_value` is False if the value may contain a secret or is too large."""

    record: CommandRecord | DoorRecord
    partition: int
    reason: str
    keep_value: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """Publish these records. When all of them are acknowledged, give the replies `local` to the door, and answer with
    `Answered(next_offset)`. `next_offset` is None if the batch had no commands of the topic.
    """

    replies: tuple[Reply, ...]
    forwards: tuple[Forward, ...]
    refused: tuple[RefusedRecord, ...]
    next_offset: int | None
    local: tuple[Reply, ...] = ()


@dataclass(frozen=True, slots=True)
class AnswerLocally:
    """Give these replies to the door, whose requests wait for them in this process."""

    replies: tuple[Reply, ...]


@dataclass(frozen=True, slots=True)
class HandBack:
    """Tell the door that it must publish these local commands, named by their correlation ids. Nothing was done about
    `queued`. A batch has taken `taken`, and its outcome may be unknown or come later.
    """

    queued: tuple[bytes, ...]
    taken: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Commit:
    """Commit this offset of the commands topic, explicitly."""

    next_offset: int


@dataclass(frozen=True, slots=True)
class Report:
    """Something to log and count. `kind` is a fixed word, `detail` a text for people. `offsets`: how many offsets a
    void report covers.
    """

    kind: str
    detail: str
    error: Exception | None = None
    offsets: int = 1


def void_report(record: LogRecord, reason: str) -> Report:
    """The report of a record that does not extend the log."""
    first_offset = record.offset - record.offsets + 1
    place = f"offset {record.offset}" if record.offsets == 1 else f"offsets {first_offset} to {record.offset}"
    return Report("void", f"{place}: {reason}", offsets=record.offsets)


@dataclass(frozen=True, slots=True)
class Hold:
    """The shard waits because of `reason`, or no longer waits (None). At each `Tick` it checks again."""

    reason: str | None


@dataclass(frozen=True, slots=True)
class Stop:
    """The log is not the one that was projected, so the shard decides nothing any more."""

    reason: str


Effect = (
    TakeOver | LoadSnapshot | Pin | Append | ReadGap | Answer | AnswerLocally | HandBack | Commit | Report | Hold | Stop
)
