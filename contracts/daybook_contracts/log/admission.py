"""The admission rule: whether a record extends its partition's log. Pure, and frozen for ever.
Enters: the head, the partition that was read, a record's value. Leaves: the new head, or why the record is void.
Looks at canonical form, partition, position, prev and hash, and at nothing else.
"""

from enum import StrEnum
from typing import Any, Final

from daybook_contracts.entries.entry import Entry, decode_entry, encode_entry
from daybook_contracts.entries.hashing import entry_hash
from daybook_contracts.json.canonical import NotCanonical, canonical_bytes, is_plainly_canonical, parse_canonical
from daybook_contracts.log.head import GENESIS, Head
from daybook_contracts.log.sealing import hash_preimage

__all__ = ["GENESIS", "Head", "VoidReason", "admit", "admit_generic"]

_NOT_HASHED: Final = frozenset({"data", "salt", "hash"})


class VoidReason(StrEnum):
    """Why a record is not part of the log; the first in this order that holds."""

    NOT_CANONICAL = "not_canonical"
    WRONG_PARTITION = "wrong_partition"
    WRONG_POSITION = "wrong_position"
    WRONG_PREV = "wrong_prev"
    WRONG_HASH = "wrong_hash"


def admit(head: Head, partition: int, value: bytes | None) -> Head | VoidReason:
    """Applies the rule to the next record of a partition in offset order; equal to admit_generic, but fast."""
    if value is None:
        return VoidReason.NOT_CANONICAL
    entry = _plain_entry(value)
    if entry is None:
        return admit_generic(head, partition, value)
    metadata = entry.metadata_json
    misfit = _misfit(head, partition, metadata.partition, metadata.position, metadata.prev)
    if misfit is not None:
        return misfit
    digest = entry_hash(hash_preimage(value, len(memoryview(metadata.data))))
    return Head(metadata.position, digest) if digest == metadata.hash else VoidReason.WRONG_HASH


def admit_generic(head: Head, partition: int, value: bytes) -> Head | VoidReason:
    """The rule as it is defined: over any JSON object, whatever its fields and version. JSON nested deeper
    than 512 is void.
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


def _plain_entry(value: bytes) -> Entry | None:
    """The entry, if the value has version 1's shape and is certainly canonical; None says nothing."""
    try:
        entry = decode_entry(value)
    except (ValueError, RecursionError):
        return None
    is_canonical = encode_entry(entry) == value and is_plainly_canonical(bytes(entry.metadata_json.data))
    return entry if is_canonical else None


def _misfit(head: Head, partition: int, claimed: object, position: object, prev: object) -> VoidReason | None:
    if type(claimed) is not int or claimed != partition:
        return VoidReason.WRONG_PARTITION
    if type(position) is not int or position != head.position + 1:
        return VoidReason.WRONG_POSITION
    return None if prev == head.hash else VoidReason.WRONG_PREV
