"""The shape of an entry in the log: structs with their fields in JCS order. Encodes and decodes entries, and checks
nothing but their shape.
"""

from collections.abc import Iterable
from typing import Annotated, Final, Literal

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from daybook_contracts.entries.facts import decode_fact
from daybook_contracts.entries.fields import Count, Fact
from daybook_contracts.entries.identity import Identity, Scope
from daybook_contracts.limits import ENTRIES

VERSION: Final = 1
EntryCount = Annotated[int, msgspec.Meta(ge=0, le=ENTRIES)]


class EntryError(Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    code: str
    detail: str


class Metadata(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, gc=False):
    """`data`: JCS bytes. In a redacted entry, `data` and `salt` are null; only tables and exports have such entries."""

    command_id: str
    commit: str
    data: Raw
    entries: EntryCount
    error: EntryError | UnsetType = UNSET
    hash: str
    key: str
    ordinal: EntryCount
    partition: Count
    position: Count
    prev: str
    principal: str
    request: str
    salt: str | None
    scope: Scope
    v: Count


class Entry(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, gc=False):
    """One row of `audit_log`; ids in lower case, `created_at` in UTC with six fraction digits and `Z`."""

    action: str
    actor_user_id: str | None
    created_at: str
    entity_id: str
    entity_type: str
    id: str
    metadata_json: Metadata
    org_id: str | None
    project_id: str | None
    result: Literal["success", "failure"]


class _ClaimedActor(Struct, gc=False):
    actor_user_id: str | None = None


_ENCODER: Final = msgspec.json.Encoder()
_DECODER: Final = msgspec.json.Decoder(Entry)
_CLAIMED_ACTOR: Final = msgspec.json.Decoder(_ClaimedActor)


def encode_entry(entry: Entry) -> bytes:
    """The entry's JCS bytes; its `data` must be JCS already."""
    return _ENCODER.encode(entry)


def decode_entry(value: bytes) -> Entry:
    """Reads an entry of version 1. Checks only its shape. Raises ValueError (msgspec's or UnicodeDecodeError)."""
    return _DECODER.decode(value)


def decode_entries(values: Iterable[bytes]) -> list[Entry]:
    """Like `decode_entry`, for many values, without a Python call for each."""
    return list(map(_DECODER.decode, values))


def encode_entries(entries: Iterable[Entry]) -> list[bytes]:
    """Like `encode_entry`, for many entries, without a Python call for each."""
    return list(map(_ENCODER.encode, entries))


def fact_of(entry: Entry) -> Fact:
    """The fact that a success entry states. Raises KeyError for an unknown action, and ValueError if `data` does not
    have the action's shape.
    """
    return decode_fact(entry.action, entry.metadata_json.data)


def actor_of(entry: Entry) -> str | None:
    """The user who acted; None if a service acted. For a failure whose `actor_user_id` is null: the id that the
    command claimed, from the entry's `data`. Raises ValueError if `data` is not an object.
    """
    if entry.actor_user_id is not None or entry.result == "success" or entry.metadata_json.salt is None:
        return entry.actor_user_id
    return _CLAIMED_ACTOR.decode(entry.metadata_json.data).actor_user_id


def identity_of(entry: Entry) -> Identity:
    """The entry's identity. Raises ValueError if an outsider's `data` is not an object."""
    metadata = entry.metadata_json
    actor = actor_of(entry) if metadata.scope == "outsider" else None
    return Identity(metadata.scope, metadata.key, actor, metadata.command_id, metadata.ordinal)
