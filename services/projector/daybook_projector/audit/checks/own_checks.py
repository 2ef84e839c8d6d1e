"""The checks of an entry whose place and hash are right: id, commit, columns, time and data (docs/verify.md)."""

import re
from typing import Any, Final, NamedTuple

from msgspec import UNSET, Raw

from daybook_contracts.entries.facts import decode_fact
from daybook_contracts.entries.hashing import commit_hash
from daybook_contracts.entries.identity import Identity
from daybook_contracts.json.canonical import canonical_bytes
from daybook_contracts.log.head import Head
from daybook_projector.audit.checks.columns import column_fault, is_redacted, member_of_data
from daybook_projector.audit.checks.fault import Fault
from daybook_projector.audit.checks.forms import Json, is_time, is_uuid

_SALT: Final = re.compile("[0-9a-f]{32}")
_SCOPES: Final = ("org", "user", "outsider", "policy")
_LAST_ORDINAL: Final = 2**32 - 1

NO_HASH: Final = ""
"""Stands for an unknown last hash: every `prev` is accepted."""

NO_TIME: Final = ""
"""Stands for an unknown last time: every time is accepted."""


class Expected(NamedTuple):
    """What is known about the place of an entry. `head`: the last position, and the last hash or NO_HASH. `created_at`:
    the last time, or NO_TIME. `is_filtered`: entries were left out, so there is no chain.
    """

    partition: int
    head: Head
    created_at: str = NO_TIME
    partitions: int | None = None
    is_filtered: bool = False


def own_fault(entry: Json, metadata: Json, expected: Expected) -> Fault | None:
    """The fault of the first check that fails."""
    return (
        _id_fault(entry, metadata)
        or commit_fault(entry, metadata)
        or column_fault(entry, metadata, expected.partition, expected.partitions)
        or _time_fault(entry, expected)
        or _data_fault(entry, metadata)
    )


def _id_fault(entry: Json, metadata: Json) -> Fault | None:
    identity = _identity(entry, metadata)
    first = UNSET if identity is None else identity.first_id()
    found = entry.get("id", UNSET)
    return None if found == first and identity is not None else Fault("id", first, found)


def _identity(entry: Json, metadata: Json) -> Identity | None:
    """None if a part of the identity cannot be read."""
    scope, ordinal = metadata.get("scope"), metadata.get("ordinal")
    key, command_id = metadata.get("key"), metadata.get("command_id")
    if scope not in _SCOPES or not is_uuid(key) or not is_uuid(command_id):
        return None
    if type(ordinal) is not int or not 0 <= ordinal <= _LAST_ORDINAL:
        return None
    actor = _actor(entry, metadata) if scope == "outsider" else None
    if scope == "outsider" and not is_uuid(actor):
        return None
    return Identity(scope, key, actor, command_id, ordinal)


def _actor(entry: Json, metadata: Json) -> Any:
    column = entry.get("actor_user_id", UNSET)
    return member_of_data(metadata, "actor_user_id") if column is None else column


def commit_fault(entry: Json, metadata: Json) -> Fault | None:
    if is_redacted(entry):
        return None
    salt, found = metadata.get("salt"), metadata.get("commit", UNSET)
    if not isinstance(salt, str) or not _SALT.fullmatch(salt) or "data" not in metadata:
        return Fault("commit", found=found)
    digest = commit_hash(bytes.fromhex(salt), canonical_bytes(metadata["data"]))
    return None if found == digest else Fault("commit", digest, found)


def _time_fault(entry: Json, expected: Expected) -> Fault | None:
    found = entry.get("created_at", UNSET)
    if not is_time(found):
        return Fault("created_at", found=found)
    return None if found > expected.created_at else Fault("created_at", f"later than {expected.created_at}", found)


def _data_fault(entry: Json, metadata: Json) -> Fault | None:
    data = metadata["data"]
    if is_redacted(entry):
        return None
    if not isinstance(data, dict):
        return Fault("data")
    if entry["result"] == "success":
        try:
            decode_fact(entry["action"], Raw(canonical_bytes(data)))
        except ValueError:
            return Fault("data")
    return None
