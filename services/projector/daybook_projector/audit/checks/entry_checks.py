"""The first fault of an entry, in the order of checks (docs/verify.md): an entry's bytes and the head of the log before
it in, its fault and the head to go on from out. Slow and thorough: called for entries that failed a fast check.
"""

from typing import Final, NamedTuple

from daybook_contracts.entries.hashing import entry_hash
from daybook_contracts.json.canonical import NotCanonical, canonical_bytes, parse_as_ecmascript
from daybook_contracts.log.head import Head
from daybook_projector.audit.checks.own_checks import Expected, Fault, Json, own_fault

_NOT_HASHED: Final = ("data", "salt", "hash")


class Judged(NamedTuple):
    """`head`: the entry's own position and hash, from which verification goes on; the head before it where the entry
    names none.
    """

    fault: Fault | None
    head: Head
    entry_id: str | None = None


def judge(value: bytes | None, expected: Expected) -> Judged:
    """The first fault of the entry; none if all checks hold."""
    before = expected.head or Head(-1, "")
    try:
        parsed = parse_as_ecmascript((value or b"").decode())
    except (ValueError, RecursionError):
        return Judged(Fault("unreadable"), before)
    if not isinstance(parsed, dict) or not isinstance(parsed.get("metadata_json"), dict):
        return Judged(Fault("unreadable"), before)
    entry: Json = parsed
    fault = _chain_fault(value or b"", entry, expected) or own_fault(entry, expected)
    return Judged(fault, _own_head(entry, before), _text(entry.get("id")))


def _own_head(entry: Json, before: Head) -> Head:
    metadata = entry["metadata_json"]
    position, hash_ = metadata.get("position"), metadata.get("hash")
    is_place = type(position) is int and position >= 0 and isinstance(hash_, str)
    return Head(position, hash_) if is_place else before


def _chain_fault(value: bytes, entry: Json, expected: Expected) -> Fault | None:
    metadata: Json = entry["metadata_json"]
    try:
        if canonical_bytes(entry) != value:
            return Fault("canonical")
    except NotCanonical:
        return Fault("canonical")
    if not _is_same(metadata.get("partition"), expected.partition):
        return Fault("partition", expected.partition, metadata.get("partition"))
    head = expected.head
    if head is not None:
        if not _is_same(metadata.get("position"), head.position + 1):
            return Fault("position", head.position + 1, metadata.get("position"))
        if metadata.get("prev") != head.hash:
            return Fault("prev", head.hash, metadata.get("prev"))
    hashed = {name: member for name, member in metadata.items() if name not in _NOT_HASHED}
    digest = entry_hash(canonical_bytes({**entry, "metadata_json": hashed}))
    return None if digest == metadata.get("hash") else Fault("hash", digest, metadata.get("hash"))


def _is_same(found: object, expected: int) -> bool:
    return type(found) is int and found == expected


def _text(found: object) -> str | None:
    return found if isinstance(found, str) else None
