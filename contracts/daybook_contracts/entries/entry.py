"""The shape of an entry in the log: structs with their fields in JCS order, encoded to bytes and decoded from them.
Only the shape is checked here.
"""

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
    """`data`: JCS bytes; null in a redacted entry (in tables and exports only), like the salt."""

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
    """Reads an entry of version 1 and checks its shape only. Raises ValueError (msgspec's, or a UnicodeDecodeError)."""
    return _DECODER.decode(value)


def fact_of(entry: Entry) -> Fact:
    """What a success entry says. Raises KeyError for an unknown action, ValueError if the data does not fit."""
    return decode_fact(entry.action, entry.metadata_json.data)


def actor_of(entry: Entry) -> str | None:
    """The user who acted: the column, or the id that a refused command claimed; None if a service acted. Raises
    ValueError if `data` is not an object.
    """
    if entry.actor_user_id is not None or entry.result == "success" or entry.metadata_json.salt is None:
        return entry.actor_user_id
    return _CLAIMED_ACTOR.decode(entry.metadata_json.data).actor_user_id


def identity_of(entry: Entry) -> Identity:
    """What identifies the entry. Raises ValueError if an outsider's `data` is not an object."""
    metadata = entry.metadata_json
    actor = actor_of(entry) if metadata.scope == "outsider" else None
    return Identity(metadata.scope, metadata.key, actor, metadata.command_id, metadata.ordinal)
