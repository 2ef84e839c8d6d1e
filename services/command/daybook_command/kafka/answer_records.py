"""Makes the records of a shard's answer: replies, forwarded commands and refused commands.

These records can be too large for their topic, because they have more headers than the received record, or because the
received record was compressed: it may have any size after decompression.
"""

from dataclasses import dataclass

from daybook_command.shard.effects import Answer, Forward, RefusedRecord, Reply
from daybook_command.shard.records import CommandRecord, Headers
from daybook_contracts.codes import Code
from daybook_contracts.secrets.scan import carries_secret
from daybook_contracts.topics import (
    CORRELATION_ID,
    FORWARDED_FROM,
    ORIGIN,
    ORIGIN_LAST,
    REASON,
    RESULT_EVENT,
    Topics,
    event_headers,
)

UNREADABLE_ID = "unreadable"
DOOR_ORIGIN = b"door"
"""The origin of a command that the door gave to the shard in memory, and that was never published."""


@dataclass(frozen=True, slots=True)
class OutgoingRecord:
    """`fallback` is published if this record is refused for its size. A reply has none: its outcome is in the log."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]
    fallback: "OutgoingRecord | None"


def records_of(topics: Topics, partition: int, answer: Answer) -> list[OutgoingRecord]:
    """`partition`: the partition of the answered commands. Records for one partition of a topic keep their order."""
    return [
        *(_reply(topics, reply) for reply in answer.replies),
        *(_forward(topics, partition, forward) for forward in answer.forwards),
        *(_refused(topics, partition, refused) for refused in answer.refused),
    ]


def _reply(topics: Topics, reply: Reply) -> OutgoingRecord:
    event = reply.command_id or UNREADABLE_ID  # CloudEvents requires an id
    headers = event_headers(RESULT_EVENT, event, event, reply.traceparent)
    if reply.correlation_id is not None:
        headers.append((CORRELATION_ID, reply.correlation_id))
    return OutgoingRecord(topics.results, reply.partition, reply.command_id.encode(), reply.value, headers, None)


def _forward(topics: Topics, partition: int, forward: Forward) -> OutgoingRecord:
    record = forward.record
    headers = _merge(record.headers, (FORWARDED_FROM, _origin(topics, partition, record.offset)))
    reason = f"{Code.INVALID_COMMAND}: in the wrong partition, and too large to be forwarded"
    keep_value = not carries_secret(record.value or b"")
    fallback = _refused(topics, partition, RefusedRecord(record, partition, reason, keep_value))
    return OutgoingRecord(topics.commands, forward.partition, record.key, record.value, headers, fallback)


def _refused(topics: Topics, partition: int, refused: RefusedRecord) -> OutgoingRecord:
    record, reason = refused.record, refused.reason
    origin = [(ORIGIN, DOOR_ORIGIN)]
    why = f"{reason} (the record is too large to be kept here)"
    if isinstance(record, CommandRecord):
        origin = [(ORIGIN, _origin(topics, partition, record.first_offset))]
        if record.lost_from is not None:
            origin.append((ORIGIN_LAST, _origin(topics, partition, record.offset)))
        why = f"{reason} (the record is too large to be kept here: it is at its origin alone)"
    headers = _merge(record.headers, (REASON, (why if record.is_oversize else reason).encode()), *origin)
    # aiokafka does not send a record without key and value, so such a record gets an empty value.
    is_empty = record.key is None and record.value is None
    value = b"" if is_empty or not refused.keep_value else record.value
    notice = OutgoingRecord(topics.commands_dlq, refused.partition, None, b"", [(REASON, why.encode()), *origin], None)
    return OutgoingRecord(topics.commands_dlq, refused.partition, record.key, value, headers, notice)


def _origin(topics: Topics, partition: int, offset: int) -> bytes:
    return f"{topics.commands}/{partition}/{offset}".encode()


def _merge(headers: Headers, *more: tuple[str, bytes]) -> list[tuple[str, bytes]]:
    """The record's headers and then `more`, without those headers of the record whose names are in `more`."""
    replaced = {name for name, _ in more}
    return [*(header for header in headers if header[0] not in replaced), *more]
