"""The first fault of an entry, in the order of the checks (docs/verify.md): the bytes of the entry and its expected
place in; the fault, and the head and time that the entry names, out. Slow and thorough: used only where the quick check
does not suffice.
"""

from typing import Final, NamedTuple

from msgspec import UNSET

from daybook_contracts.entries.hashing import entry_hash
from daybook_contracts.json.canonical import NotCanonical, canonical_bytes
from daybook_contracts.limits import MAX_SAFE_INTEGER
from daybook_contracts.log.head import Head
from daybook_projector.audit.checks.columns import is_redacted
from daybook_projector.audit.checks.fault import Fault
from daybook_projector.audit.checks.forms import Json, as_json, count, is_hash, is_number, is_time, is_uuid
from daybook_projector.audit.checks.own_checks import NO_HASH, NO_TIME, Expected, own_fault
from daybook_projector.audit.checks.readable import readable_object

_NOT_HASHED: Final = ("data", "salt", "hash")
_AFTER_COMMIT: Final = ("columns", "created_at", "data")


class Judged(NamedTuple):
    """`head`: the last position, and the last hash or NO_HASH, after this entry. `created_at`: the last time, or
    NO_TIME. `position`: the position that the entry names, or None. `is_redacted`: whether the entry is redacted;
    false if a check up to `commit` failed.
    """

    fault: Fault | None
    head: Head
    entry_id: str | None = None
    created_at: str = NO_TIME
    position: int | None = None
    is_redacted: bool = False


def judge(value: bytes | None, expected: Expected, *, is_whole: bool = True) -> Judged:
    """Finds the first fault of the entry, if any. `is_whole`: whether its line ended with a line feed."""
    entry = readable_object(value or b"")
    if entry is None:
        last = expected.head.position if expected.is_filtered else next_position(expected.head)
        return Judged(Fault("unreadable"), Head(last, NO_HASH))
    found = entry.get("metadata_json")
    metadata: Json = found if isinstance(found, dict) else {}
    fault = (
        (_canonical_fault(value or b"", entry) if is_whole else Fault("canonical"))
        or _place_fault(metadata, expected)
        or _hash_fault(entry, metadata)
        or own_fault(entry, metadata, expected)
    )
    position, hash_, created_at = count(metadata.get("position")), metadata.get("hash"), entry.get("created_at")
    last = next_position(expected.head) if position is None else position
    return Judged(
        fault,
        Head(last, hash_ if is_hash(hash_) else NO_HASH),
        entry["id"] if is_uuid(entry.get("id")) else None,
        created_at if is_time(created_at) else NO_TIME,
        position,
        (fault is None or fault.check in _AFTER_COMMIT) and is_redacted(entry),
    )


def next_position(head: Head) -> int:
    """The position after the head, at most 2**53: above that, not every integer is a double."""
    return min(head.position, MAX_SAFE_INTEGER) + 1


def _canonical_fault(value: bytes, entry: Json) -> Fault | None:
    try:
        return None if canonical_bytes(entry) == value else Fault("canonical")
    except NotCanonical:
        return Fault("canonical")


def _place_fault(metadata: Json, expected: Expected) -> Fault | None:
    found = metadata.get("partition", UNSET)
    if not is_number(found, expected.partition):
        return Fault("partition", expected.partition, found)
    return _filtered_fault(metadata, expected) if expected.is_filtered else _chain_fault(metadata, expected)


def _chain_fault(metadata: Json, expected: Expected) -> Fault | None:
    position, prev = metadata.get("position", UNSET), metadata.get("prev", UNSET)
    wanted = next_position(expected.head)
    if not is_number(position, wanted):
        return Fault("position", as_json(wanted), position)
    hash_ = expected.head.hash
    return None if hash_ in (NO_HASH, prev) else Fault("prev", hash_, prev)


def _filtered_fault(metadata: Json, expected: Expected) -> Fault | None:
    position, last = metadata.get("position", UNSET), expected.head.position
    number = count(position)
    if number is not None and number > last:
        return None
    return Fault("position", UNSET if last == -1 else f"above {last}", position)


def _hash_fault(entry: Json, metadata: Json) -> Fault | None:
    hashed = {name: member for name, member in metadata.items() if name not in _NOT_HASHED}
    digest, found = entry_hash(canonical_bytes({**entry, "metadata_json": hashed})), metadata.get("hash", UNSET)
    return None if found == digest else Fault("hash", digest, found)
