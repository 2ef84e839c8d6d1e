"""Computed ids: an entry's id follows from its command, so repeating a command cannot make a second entry.
Enters: routing key, command id, ordinal. Leaves: a UUID as lower-case text. Draws nothing at random.
"""

import re
from hashlib import sha256
from typing import Final
from uuid import UUID, uuid5

UUID_PATTERN: Final = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
"""A UUID as Daybook writes it: hex in five groups, lower case."""

_UUID_ANY_CASE: Final = re.compile(UUID_PATTERN, re.IGNORECASE | re.ASCII)
_DOMAIN: Final = b"daybook-id/v1\n"
_VARIANT: Final = dict(zip("0123456789abcdef", "89ab" * 4, strict=True))
"""A hex digit with its upper two bits set to RFC 9562's variant, 10."""


def is_uuid(text: str) -> bool:
    """Says whether the text has the form 8-4-4-4-12 in hex, any case, any version."""
    return _UUID_ANY_CASE.fullmatch(text) is not None


def entry_id(key: str, command_id: str, ordinal: int) -> str:
    r"""The UUIDv8 of a command's entry; both ids in lower-case canonical form, ordinal below 2**32.

    Its first 6 bytes are the command id's, so UUIDv7 command ids keep index pages warm; the rest is
    SHA-256("daybook-id/v1\n" || key || command_id || ordinal) cut to fit around version and variant.
    """
    named = bytes.fromhex((key + command_id).replace("-", "")) + ordinal.to_bytes(4, "big")
    digest = sha256(_DOMAIN + named).hexdigest()
    return f"{command_id[:13]}-8{digest[1:4]}-{_VARIANT[digest[4]]}{digest[5:8]}-{digest[8:20]}"


def policy_alert_id(connection_id: str, rule: str) -> str:
    """The UUIDv5 of a policy's alert, in the namespace of its connection: whether it is open is one look-up by key."""
    return str(uuid5(UUID(connection_id), rule))


def timeout_command_id(sync_run_id: str) -> str:
    """The UUIDv5 of the command that fails an overdue run: whoever sends it, it happens once."""
    return str(uuid5(UUID(sync_run_id), "sync_stalled"))
