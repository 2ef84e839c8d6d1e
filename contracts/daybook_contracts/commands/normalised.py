"""Encodes a command: its normalised envelope and data, both in canonical JSON (RFC 8785)."""

from typing import Final

from daybook_contracts.commands.registry import Command
from daybook_contracts.json.canonical import canonical_bytes

_NOT_IN_REQUEST_HASH: Final = frozenset({"message", "error", "error_message", "reason", "stats"})
"""Free text may be redacted, or worded differently when a command is sent again. So two commands that differ only in
these fields are the same request.
"""


def data_json(command: Command) -> bytes:
    """The JCS bytes of the normalised data."""
    return canonical_bytes(command.data.to_json())


def request_json(command: Command) -> bytes:
    """The JCS bytes of the normalised data without free text, which the request hash covers."""
    data = command.data.to_json()
    if _NOT_IN_REQUEST_HASH.isdisjoint(data):
        return canonical_bytes(data)
    return canonical_bytes({name: value for name, value in data.items() if name not in _NOT_IN_REQUEST_HASH})


def normalised_bytes(command: Command) -> bytes:
    """The JCS bytes of the normalised envelope, as the HTTP door publishes it."""
    # Ids and types need no escapes, so only the data is encoded as JSON.
    head = f'{{"actor_user_id":{_quoted(command.actor_user_id)},"data":'
    tail = f',"id":"{command.id}","org_id":{_quoted(command.org_id)},"type":"{command.type}"}}'
    return head.encode() + data_json(command) + tail.encode()


def _quoted(identifier: str | None) -> str:
    return "null" if identifier is None else f'"{identifier}"'
