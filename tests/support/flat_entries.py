"""Entries as flat dicts of columns and metadata. `seal_flat` turns one into the record that follows a log's head."""

from typing import Any, NamedTuple

from msgspec import UNSET, Raw

from daybook_contracts.entries.entry import VERSION, Entry, Metadata
from daybook_contracts.entries.hashing import ZERO_HASH, commit_hash
from daybook_contracts.log.admission import VoidReason, admit
from daybook_contracts.log.head import GENESIS, Head
from daybook_contracts.log.sealing import seal

Flat = dict[str, Any]
"""An entry without its place (position, prev), hashes and version. `data` is JCS bytes; `error` may be None."""


class Sealed(NamedTuple):
    """A record's value, and the head of the log after it."""

    value: bytes
    head: Head


def seal_flat(flat: Flat, head: Head = GENESIS) -> Sealed:
    data, salt = flat["data"], bytes.fromhex(flat["salt"])
    placed = flat | {
        "commit": commit_hash(salt, data),
        "data": Raw(data),
        "error": flat["error"] or UNSET,
        "hash": ZERO_HASH,
        "position": head.position + 1,
        "prev": head.hash,
        "v": VERSION,
    }
    metadata = Metadata(**{name: placed.pop(name) for name in Metadata.__struct_fields__})
    value = seal(Entry(**placed, metadata_json=metadata))
    admitted = admit(head, flat["partition"], value)
    assert not isinstance(admitted, VoidReason), admitted
    return Sealed(value, admitted.head)
