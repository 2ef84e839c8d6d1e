"""The admission rule: whether a record extends its partition's log, or why it is void. Frozen forever.
Checks canonical form, partition, position, prev and hash, and nothing else.
"""

from enum import StrEnum
from typing import Any, Final

from msgspec import Struct

from daybook_contracts.entries.entry import Entry, decode_entry, encode_entry
from daybook_contracts.entries.hashing import entry_hash
from daybook_contracts.json.canonical import NotCanonical, canonical_bytes, is_plainly_canonical, parse_canonical
from daybook_contracts.log.head import Head
from daybook_contracts.log.sealing import hash_preimage

_NOT_HASHED: Final = frozenset({"data", "salt", "hash"})


class VoidReason(StrEnum):
    """Why a record is not part of the log. If several reasons hold, the first in this order is given."""

    NOT_CANONICAL = "not_canonical"
    WRONG_PARTITION = "wrong_partition"
    WRONG_POSITION = "wrong_position"
    WRONG_PREV = "wrong_prev"
    WRONG_HASH = "wrong_hash"


class Admitted(Struct, frozen=True, gc=False):
    """`head` is the log's head after this record. `entry` is None if the record lacks the shape of version 1."""

    head: Head
    value: bytes
    entry: Entry | None


def admit(head: Head, partition: int, value: bytes | None) -> Admitted | VoidReason:
    """Applies the rule to the next record of a partition in offset order. Decides as `admit_generic` does, but faster
    for entries of version 1.
    """
    if value is None:
        return VoidReason.NOT_CANONICAL
    entry = _decoded(value)
    if entry is None or not _is_plainly_canonical(entry, value):
        verdict = admit_generic(head, partition, value)
        return verdict if isinstance(verdict, VoidReason) else Admitted(verdict, value, entry)
    metadata = entry.metadata_json
    misfit = _misfit(head, partition, metadata.partition, metadata.position, metadata.prev)
    if misfit is not None:
        return misfit
    digest = entry_hash(hash_preimage(value, len(memoryview(metadata.data))))
    if digest != metadata.hash:
        return VoidReason.WRONG_HASH
    return Admitted(Head(metadata.position, digest), value, entry)


def admit_generic(head: Head, partition: int, value: bytes) -> Head | VoidReason:
    """The rule as it is defined, for a JSON object with any fields and of any version. JSON nested deeper than 512 is
    void.
    """
    try:
        entry = parse_canonical(value)
    except NotCanonical:
        return VoidReason.NOT_CANONICAL
    if not isinstance(entry, dict):
        return VoidReason.NOT_CANONICAL
    found = entry.get("metadata_json")
    metadata: dict[str, Any] = found if isinstance(found, dict) else {}
    misfit = _misfit(head, partition, metadata.get("partition"), metadata.get("position"), metadata.get("prev"))
    if misfit is not None:
        return misfit
    hashed = {name: member for name, member in metadata.items() if name not in _NOT_HASHED}
    digest = entry_hash(canonical_bytes(entry | {"metadata_json": hashed}))
    return Head(head.position + 1, digest) if digest == metadata.get("hash") else VoidReason.WRONG_HASH


def _decoded(value: bytes) -> Entry | None:
    try:
        return decode_entry(value)
    except (ValueError, RecursionError):
        return None


def _is_plainly_canonical(entry: Entry, value: bytes) -> bool:
    """True only if the value is canonical. If it is False, `admit_generic` has to decide."""
    return encode_entry(entry) == value and is_plainly_canonical(bytes(entry.metadata_json.data))


def _misfit(head: Head, partition: int, claimed: object, position: object, prev: object) -> VoidReason | None:
    if type(claimed) is not int or claimed != partition:
        return VoidReason.WRONG_PARTITION
    if type(position) is not int or position != head.position + 1:
        return VoidReason.WRONG_POSITION
    return None if prev == head.hash else VoidReason.WRONG_PREV
