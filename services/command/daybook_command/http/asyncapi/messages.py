"""The messages of the AsyncAPI document, by channel: one for each command type and each action, one for failures,
the two kinds of replies, and dead letters. The golden samples are their examples.
"""

from typing import Final, Literal

import orjson

from daybook_command.http.asyncapi import headers
from daybook_command.http.asyncapi.payloads import Schema, failure_entry, reference, success_entry
from daybook_command.kafka.answer_records import UNREADABLE_ID
from daybook_command.shard.intake import LOST_BATCH
from daybook_contracts.codes import Code
from daybook_contracts.commands.registry import COMMANDS
from daybook_contracts.entries.facts import ENTRY_DATA
from daybook_contracts.samples import Sample, command_sample, entry_sample, record_sample
from daybook_contracts.topics import (
    CORRELATION_ID,
    ORIGIN,
    ORIGIN_LAST,
    PRINCIPAL,
    REASON,
    REPLY_PARTITION,
    RESULT_EVENT,
    TRACEPARENT,
    Headers,
    entry_headers,
    event_headers,
)

Channel = Literal["commands", "audit_log", "results", "commands_dlq"]
Messages = dict[Channel, dict[str, Schema]]

BINDING: Final = "0.5.0"
_TRACE: Final = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
_CORRELATION: Final = b"billing-1042"
_PLACE: Final = b"daybook.commands/6/1042"
_LAST_PLACE: Final = b"daybook.commands/6/1999"
_ROUTING_KEY: Final = "The org's id; of REGISTER_USER, the user's id."


def messages_by_channel() -> Messages:
    return {
        "commands": {kind: _command(kind) for kind in COMMANDS},
        "audit_log": {
            **{f"{action}.entry": _success_entry(action) for action in ENTRY_DATA},
            "failure.entry": _failure_entry(),
        },
        "results": {"accepted.reply": _accepted(), "rejected.reply": _rejected()},
        "commands_dlq": {"dead_letter": _dead_letter()},
    }


def _command(kind: str) -> Schema:
    model = COMMANDS[kind]
    asking: Headers = [
        (PRINCIPAL, b"service:billing"),
        (REPLY_PARTITION, b"0"),
        (CORRELATION_ID, _CORRELATION),
        (TRACEPARENT, _TRACE),
    ]
    return {
        **_message(kind, model.__doc__ or "", headers.COMMAND, reference(model.__name__), _ROUTING_KEY),
        "correlationId": {"location": f"$message.header#/{CORRELATION_ID}"},
        "examples": [_example("asks for a reply", asking, command_sample(kind))],
    }


def _success_entry(action: str) -> Schema:
    return {
        **_message(
            f"{action}.entry",
            f"{action} succeeded; `data` is the fact.",
            headers.ENTRY,
            success_entry(action),
            _ROUTING_KEY,
        ),
        "examples": [_entry_example("success", entry_sample(action))],
    }


def _failure_entry() -> Schema:
    summary = "A command was rejected. The action is the command's type, and `data` is what the sender wanted."
    return {
        **_message("failure.entry", summary, headers.ENTRY, failure_entry(), _ROUTING_KEY),
        "examples": [_entry_example("failure", entry_sample("failure"))],
    }


def _entry_example(name: str, entry: Sample) -> Schema:
    return _example(name, entry_headers(entry["id"], entry["metadata_json"]["key"], entry["created_at"], _TRACE), entry)


def _accepted() -> Schema:
    return _reply("accepted.reply", "The command was accepted and is in the log.", "Accepted", ["accepted"])


def _rejected() -> Schema:
    summary = "The command was rejected, or refused without an entry; a problem (RFC 9457)."
    return _reply("rejected.reply", summary, "Rejected", ["rejected", "invalid"])


def _reply(name: str, summary: str, schema: str, samples: list[str]) -> Schema:
    key = "The command's id; empty if it could not be read."
    return {
        **_message(name, summary, headers.RESULT, reference(schema), key),
        "correlationId": {"location": f"$message.header#/{CORRELATION_ID}"},
        "examples": [_reply_example(sample) for sample in samples],
    }


def _reply_example(name: str) -> Schema:
    record = record_sample(name)
    event = record["command_id"] or UNREADABLE_ID
    sent = [*event_headers(RESULT_EVENT, event, event, _TRACE), (CORRELATION_ID, _CORRELATION)]
    return _example(name, sent, record)


def _dead_letter() -> Schema:
    summary = "A command that was refused without an entry, with the reason and where its record is."
    payload = {
        "type": "string",
        "description": (
            "The command's value, unchanged. It is empty if the value may contain a secret, is too large, or is a "
            "whole record batch."
        ),
    }
    refused = orjson.dumps(command_sample("RENAME_ORG") | {"org_id": None}).decode()
    why = f"{Code.INVALID_COMMAND}: org_id is required".encode()
    lost = f"{Code.INVALID_COMMAND}: {LOST_BATCH}".encode()
    return {
        **_message("dead_letter", summary, headers.DEAD_LETTER, payload, "The key of the command's record, unchanged."),
        "contentType": "application/octet-stream",
        "examples": [
            _example(
                "refused",
                [(PRINCIPAL, b"service:billing"), (REASON, why), (ORIGIN, _PLACE)],
                refused,
            ),
            _example("a lost record batch", [(REASON, lost), (ORIGIN, _PLACE), (ORIGIN_LAST, _LAST_PLACE)], ""),
        ],
    }


def _message(name: str, summary: str, header_schema: Schema, payload: Schema, key: str) -> Schema:
    return {
        "name": name,
        "summary": summary,
        "contentType": "application/json",
        "headers": header_schema,
        "payload": payload,
        "bindings": {"kafka": {"key": {"type": "string", "description": key}, "bindingVersion": BINDING}},
    }


def _example(name: str, sent: Headers, payload: object) -> Schema:
    return {"name": name, "headers": {header: value.decode() for header, value in sent}, "payload": payload}
