"""Effects: what a shard asks the engine to do. Plain values. The engine answers with events."""

from msgspec import Struct

from daybook_command.shard.records import CommandRecord, DoorRecord, LogRecord
from daybook_command.shard.snapshot import Needs
from daybook_contracts.entries.reading import TrustedEntry


class TakeOver(Struct, frozen=True, gc=False):
    """Read the checkpoint and the log's bounds, and answer with `LogOpened`. Then read the log from the checkpoint's
    `first_to_read` to the end, and answer with a `LogRead` for each slice, as long as the shard is taking over.
    `waited`: whether the shard asks again because it was too far behind.
    """

    waited: bool = False


class LoadSnapshot(Struct, frozen=True, gc=False):
    """Load what `needs` lists. Answer with `SnapshotLoaded`, with a salt for each of `commands` commands, or with
    `LookUpRefused`.
    """

    needs: Needs
    commands: int


class Pin(Struct, frozen=True, gc=False):
    """Protect these users from deletion until the entries that name them are projected. Answer with `Pinned`."""

    user_ids: frozenset[str]


class LogAppend(Struct, frozen=True, gc=False):
    """One record of a batch to append: an entry, its bytes, and its trace context."""

    trusted: TrustedEntry
    value: bytes
    traceparent: bytes | None


class Append(Struct, frozen=True, gc=False):
    """Append the records as one Kafka batch. Answer with `Acknowledged`, `AppendUnknown` or `AppendRefused`."""

    records: tuple[LogAppend, ...]


class ReadGap(Struct, frozen=True, gc=False):
    """Read the log in [start, stop). Answer with `GapRead`."""

    start: int
    stop: int


class Reply(Struct, frozen=True, gc=False):
    """A results record for a sender who asked for a reply. `command_id` is empty if it could not be read."""

    command_id: str
    value: bytes
    correlation_id: bytes | None
    partition: int
    traceparent: bytes | None


class Forward(Struct, frozen=True, gc=False):
    """A command that belongs to another partition, to be forwarded unchanged."""

    partition: int
    record: CommandRecord


class RefusedRecord(Struct, frozen=True, gc=False):
    """A command refused without an entry. `keep_value` is False if the value may contain a secret or is too large."""

    record: CommandRecord | DoorRecord
    partition: int
    reason: str
    keep_value: bool


class Answer(Struct, frozen=True, gc=False):
    """Publish these records. When all of them are acknowledged, give the replies `local` to the door, and answer with
    `Answered(next_offset)`. `next_offset` is None if the batch had no commands of the topic.
    """

    replies: tuple[Reply, ...]
    forwards: tuple[Forward, ...]
    refused: tuple[RefusedRecord, ...]
    next_offset: int | None
    local: tuple[Reply, ...] = ()


class AnswerLocally(Struct, frozen=True, gc=False):
    """Give these replies to the door, whose requests wait for them in this process."""

    replies: tuple[Reply, ...]


class HandBack(Struct, frozen=True, gc=False):
    """Tell the door that it must publish these local commands, named by their correlation ids. Nothing was done about
    `queued`. A batch has taken `taken`, and its outcome may be unknown or come later.
    """

    queued: tuple[bytes, ...]
    taken: tuple[bytes, ...]


class Commit(Struct, frozen=True, gc=False):
    """Commit this offset of the commands topic, explicitly."""

    next_offset: int


class Report(Struct, frozen=True, gc=False):
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


class Hold(Struct, frozen=True, gc=False):
    """The shard waits because of `reason`, or no longer waits (None). At each `Tick` it checks again."""

    reason: str | None


class Stop(Struct, frozen=True, gc=False):
    """The log is not the one that was projected, so the shard decides nothing any more."""

    reason: str


Effect = (
    TakeOver | LoadSnapshot | Pin | Append | ReadGap | Answer | AnswerLocally | HandBack | Commit | Report | Hold | Stop
)
