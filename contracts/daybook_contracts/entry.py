"""An entry as it stands in the log: structs whose fields are declared in JCS order, and their bytes.
Enters: a record's bytes, or an entry. Leaves: an entry, or its bytes. Judges nothing but its shape.
"""

from typing import Annotated, Final, Literal

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from daybook_contracts.entry_data import decode_fact
from daybook_contracts.fact import Count, Fact
from daybook_contracts.limits import ENTRIES

VERSION: Final = 1
Result = Literal["success", "failure"]
Few = Annotated[int, msgspec.Meta(ge=0, le=ENTRIES)]


class EntryError(Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    code: str
    detail: str


class Metadata(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, gc=False):
    """`data` is JCS bytes; of a redacted entry (in tables and exports only) it is `null`, and so is the salt."""

    command_id: str
    commit: str
    data: Raw
    entries: Few
    error: EntryError | UnsetType = UNSET
    hash: str
    ordinal: Few
    partition: Count
    position: Count
    prev: str
    principal: str
    request: str
    salt: str | None
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
    result: Result


_ENCODER: Final = msgspec.json.Encoder()
_DECODER: Final = msgspec.json.Decoder(Entry)


def encode_entry(entry: Entry) -> bytes:
    """The entry's JCS bytes, given that its `data` is JCS."""
    return _ENCODER.encode(entry)


def decode_entry(value: bytes) -> Entry:
    """Reads an entry of version 1 by its shape alone; raises ValueError (msgspec's, or a UnicodeDecodeError)."""
    return _DECODER.decode(value)


def entry_data(entry: Entry) -> Fact:
    """The typed fact of a success entry; raises KeyError on an unknown action, ValueError where data does not fit."""
    return decode_fact(entry.action, entry.metadata_json.data)
