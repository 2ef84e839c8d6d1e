"""The names that services and publishers share: topics, consumer groups and record headers.
Only some headers change what Daybook does: those about the principal, the door, the signature, the reply and
forwarding. The others are for information.
"""

import re
from dataclasses import dataclass
from typing import Final

PRINCIPAL: Final = "daybook-principal"
DOOR: Final = "daybook-door"
DOOR_HTTP: Final = b"http"
SIGNATURE: Final = "daybook-signature"
FORWARDED_FROM: Final = "daybook-forwarded-from"
REASON: Final = "daybook-reason"
ORIGIN: Final = "daybook-origin"
ORIGIN_LAST: Final = "daybook-origin-last"
REPLY_PARTITION: Final = "reply-partition"
CORRELATION_ID: Final = "correlation-id"
TRACEPARENT: Final = "traceparent"
CONTENT_TYPE: Final = "content-type"
CE_SPECVERSION: Final = "ce_specversion"
CE_ID: Final = "ce_id"
CE_TYPE: Final = "ce_type"
CE_SOURCE: Final = "ce_source"
CE_SUBJECT: Final = "ce_subject"
CE_TIME: Final = "ce_time"

ENTRY_EVENT: Final = b"daybook.entry.v1"
COMMAND_EVENT: Final = b"daybook.command.v1"
RESULT_EVENT: Final = b"daybook.result.v1"
SOURCE: Final = b"/daybook/command"

Headers = list[tuple[str, bytes]]

# W3C Trace Context: the fields of version 00, which later versions keep. An id of zeros and version ff are invalid.
_TRACE: Final = re.compile(rb"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")

_SPECVERSION: Final = (CE_SPECVERSION, b"1.0")
_SOURCE: Final = (CE_SOURCE, SOURCE)
_CONTENT_TYPE: Final = (CONTENT_TYPE, b"application/json")
_ENTRY_TYPE: Final = (CE_TYPE, ENTRY_EVENT)


@dataclass(frozen=True, slots=True)
class Topics:
    """All topics and consumer groups under one prefix: `daybook.`, or another one in tests and benchmarks."""

    prefix: str

    @property
    def commands(self) -> str:
        return f"{self.prefix}commands"

    @property
    def audit_log(self) -> str:
        return f"{self.prefix}audit_log"

    @property
    def results(self) -> str:
        return f"{self.prefix}results"

    @property
    def commands_dlq(self) -> str:
        return f"{self.prefix}commands.dlq"

    @property
    def command_group(self) -> str:
        return f"{self.prefix}command"

    @property
    def projector_group(self) -> str:
        return f"{self.prefix}projector"


def trace_context(header: bytes | None) -> bytes | None:
    """The `traceparent` header; None if it is invalid. Checks it because the log keeps an entry's headers forever."""
    return header if header is not None and _TRACE.fullmatch(header) else None


def entry_headers(entry_id: str, subject: str, created_at: str, traceparent: bytes | None = None) -> Headers:
    """The CloudEvents headers of an entry's record; `subject` is its routing key."""
    headers = [
        _SPECVERSION,
        (CE_ID, entry_id.encode()),
        _ENTRY_TYPE,
        _SOURCE,
        (CE_SUBJECT, subject.encode()),
        (CE_TIME, created_at.encode()),
        _CONTENT_TYPE,
    ]
    return headers if traceparent is None else [*headers, (TRACEPARENT, traceparent)]


def event_headers(event: bytes, event_id: str, subject: str, traceparent: bytes | None = None) -> Headers:
    """The CloudEvents headers of a record of a command (COMMAND_EVENT) or a result (RESULT_EVENT)."""
    headers = [
        _SPECVERSION,
        (CE_ID, event_id.encode()),
        (CE_TYPE, event),
        _SOURCE,
        (CE_SUBJECT, subject.encode()),
        _CONTENT_TYPE,
    ]
    return headers if traceparent is None else [*headers, (TRACEPARENT, traceparent)]
