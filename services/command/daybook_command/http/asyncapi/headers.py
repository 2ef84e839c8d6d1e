"""The record headers of the AsyncAPI document: a schema for each kind of record."""

from typing import Final

from daybook_command.http.asyncapi.payloads import Schema
from daybook_contracts.topics import (
    CE_ID,
    CE_SOURCE,
    CE_SPECVERSION,
    CE_SUBJECT,
    CE_TIME,
    CE_TYPE,
    CONTENT_TYPE,
    CORRELATION_ID,
    DOOR,
    DOOR_HTTP,
    ENTRY_EVENT,
    FORWARDED_FROM,
    ORIGIN,
    ORIGIN_LAST,
    PRINCIPAL,
    REASON,
    REPLY_PARTITION,
    RESULT_EVENT,
    SIGNATURE,
    SOURCE,
    TRACEPARENT,
)

_NUMBER: Final = "^[0-9]+$"
_PLACE: Final = "^.+/[0-9]+/[0-9]+$"
_CLOUD_EVENT: Final = (CE_SPECVERSION, CE_ID, CE_TYPE, CE_SOURCE, CE_SUBJECT, CONTENT_TYPE)


def _text(description: str, **rules: object) -> Schema:
    return {"type": "string", "description": description, **rules}


def _cloud_event(event: bytes, id_of: str, subject: str) -> dict[str, Schema]:
    return {
        CE_SPECVERSION: {"type": "string", "const": "1.0"},
        CE_ID: _text(id_of),
        CE_TYPE: {"type": "string", "const": event.decode()},
        CE_SOURCE: {"type": "string", "const": SOURCE.decode()},
        CE_SUBJECT: _text(subject),
        CONTENT_TYPE: {"type": "string", "const": "application/json"},
    }


_TRACE: Final = _text("W3C Trace Context. It is passed on from the command to its entries and its reply.")
_CORRELATION: Final = _text("Returned with the reply, unchanged.")
_OF_A_COMMAND: Final = {
    PRINCIPAL: _text(
        "The sender: `service:<name>`, or `user:<uuid>` for a user whom the publisher has authenticated.",
        default="service:unnamed",
    ),
    SIGNATURE: _text(
        f"HMAC-SHA256, in hex, of the principal, a newline, the header `{DOOR}` (empty if absent), a newline and the "
        "record's value. Required with a service policy, otherwise ignored.",
        pattern="^[0-9A-Fa-f]{64}$",
    ),
    DOOR: _text("Set by the HTTP door alone.", enum=[DOOR_HTTP.decode()]),
    REPLY_PARTITION: _text(
        "The partition of the results topic for the reply. Without this header, there is no reply.", pattern=_NUMBER
    ),
    CORRELATION_ID: _CORRELATION,
    TRACEPARENT: _TRACE,
    FORWARDED_FROM: _text(
        "Set by a shard that forwarded the command: where it was, topic/partition/offset.", pattern=_PLACE
    ),
}


COMMAND: Final[Schema] = {
    "type": "object",
    "description": "All headers are optional. Others, such as those of CloudEvents, are not used for decisions.",
    "properties": _OF_A_COMMAND,
}
ENTRY: Final[Schema] = {
    "type": "object",
    "properties": {
        **_cloud_event(ENTRY_EVENT, "The entry's id.", "The routing key."),
        CE_TIME: _text("The entry's created_at.", format="date-time"),
        TRACEPARENT: _TRACE,
    },
    "required": [*_CLOUD_EVENT, CE_TIME],
}
RESULT: Final[Schema] = {
    "type": "object",
    "properties": {
        **_cloud_event(RESULT_EVENT, "The command's id; `unreadable` if it could not be read.", "As `ce_id`."),
        CORRELATION_ID: _CORRELATION,
        TRACEPARENT: _TRACE,
    },
    "required": [*_CLOUD_EVENT],
}
DEAD_LETTER: Final[Schema] = {
    "type": "object",
    "description": "The command's own headers, unchanged, and these.",
    "properties": {
        REASON: _text("`CODE: detail`."),
        ORIGIN: _text(
            "The command's record: topic/partition/offset; `door` if the HTTP door gave it to the shard in memory.",
            pattern=f"{_PLACE}|^door$",
        ),
        ORIGIN_LAST: _text("The last record, if a whole record batch was refused.", pattern=_PLACE),
    },
    "required": [REASON, ORIGIN],
}
