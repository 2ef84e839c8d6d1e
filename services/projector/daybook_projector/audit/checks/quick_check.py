"""The quick check of an entry: its bytes and its expected place in; the entry out, if all checks of docs/verify.md
certainly hold. At the first doubt it gives up, and `judge` (entry_checks.py) runs the checks one by one.

Most entries are right, so this check is most of the cost of verifying. It builds nothing that only some callers need.
"""

from hashlib import sha256
from typing import Final, get_args, get_type_hints

from msgspec import Raw, Struct

from daybook_contracts.entries.entry import Entry, decode_entry, encode_entry
from daybook_contracts.entries.facts import ENTRY_DATA
from daybook_contracts.entries.fields import Fact, encode_fact
from daybook_contracts.entries.hashing import entry_hash
from daybook_contracts.entries.reading import PoisonEntry, TrustedEntry, read_entry
from daybook_contracts.json.canonical import is_plainly_canonical
from daybook_contracts.log.head import Head
from daybook_contracts.routing import partition_of
from daybook_projector.audit.checks.digest import ROW

# Marks: how JCS begins a member that is not the first of its object.
_DATA: Final = b',"data":'
_HASH: Final = b',"hash":"'
_SALT: Final = b',"salt":"'
_DATA_SEARCH_START: Final = 300
"""No trusted entry has its data earlier: three ids, a time and the commit come before, each with its name."""
_HASH_MEMBER_LENGTH: Final = len(_HASH) + 64 + 1
_SALT_MEMBER_LENGTH: Final = len(_SALT) + 32 + 1
_WITH_FREE_JSON: Final = frozenset(
    action
    for action, kind in ENTRY_DATA.items()
    if any(Raw in (hint, *get_args(hint)) for hint in get_type_hints(kind).values())
)
"""The actions whose facts hold JSON as it was sent. A fact of any other action is canonical if encoding it again gives
the same bytes.
"""


class CheckedEntry(Struct, frozen=True, gc=False):
    """`row_hash`: the hash of the entry's row in `audit_log` (digest.py)."""

    trusted: TrustedEntry
    row_hash: bytes


def check_quickly(
    value: bytes, partition: int, head: Head, last_time: str, partitions: int | None
) -> CheckedEntry | None:
    """The entry, if it follows the head and the last time (or NO_TIME), and every check holds. None if a check fails,
    or if the answer takes longer: for a redacted entry, and for JSON that is rarely written. `partitions`: None if
    their number is not known.
    """
    try:
        entry = decode_entry(value)
        if not _is_next(entry, partition, head, last_time) or encode_entry(entry) != value:
            return None
        trusted = read_entry(value, entry)
    except (ValueError, RecursionError, PoisonEntry):
        return None
    data = bytes(entry.metadata_json.data)
    row_hash = _row_hash_if_right(value, len(data), entry.metadata_json.hash)
    if row_hash is None or not _is_canonical(data, entry.action, trusted.fact):
        return None
    org_id = entry.org_id
    if partitions is not None and org_id is not None and partition_of(org_id, partitions) != partition:
        return None
    return CheckedEntry(trusted, row_hash)


def _is_next(entry: Entry, partition: int, head: Head, last_time: str) -> bool:
    metadata = entry.metadata_json
    return (
        metadata.position == head.position + 1
        and metadata.prev == head.hash
        and metadata.partition == partition
        and entry.created_at > last_time
    )


def _row_hash_if_right(value: bytes, data_length: int, own_hash: str) -> bytes | None:
    """The hash of the row, if the entry's own hash is right. Both hashes cover the entry without its data and salt; the
    row's hash covers the entry's own hash too.

    A mark cannot occur inside a string, where a backslash precedes every quote. `data` is skipped by its length. In a
    trusted entry, the ids, the times, the hash and the salt have fixed lengths.
    """
    data = value.index(_DATA, _DATA_SEARCH_START)
    after_data = data + len(_DATA) + data_length
    hash_ = value.index(_HASH, after_data)
    salt = value.rindex(_SALT)
    first, last = value[:data], value[salt + _SALT_MEMBER_LENGTH :]
    hashed = b"".join((first, value[after_data:hash_], value[hash_ + _HASH_MEMBER_LENGTH : salt], last))
    if entry_hash(hashed) != own_hash:
        return None
    return sha256(b"".join((ROW, first, value[after_data:salt], last))).digest()


def _is_canonical(data: bytes, action: str, fact: Fact | None) -> bool:
    if fact is None or action in _WITH_FREE_JSON:
        return is_plainly_canonical(data)
    return encode_fact(fact) == data
