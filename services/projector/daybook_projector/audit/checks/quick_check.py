"""The fast verdict on an entry: its bytes and the place that it must have in; the entry out, if all checks
(docs/verify.md) certainly hold. It gives up at the first doubt, and then the checks one by one must tell.

Most entries are right, so this is what verifying costs. Nothing is built here that only some callers need.
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

_DATA: Final = b',"data":'
_HASH: Final = b',"hash":"'
_SALT: Final = b',"salt":"'
_LEAST_BEFORE_DATA: Final = 300
"""No trusted entry has its data earlier: before it come three ids, a time and the commit, each with its name."""
_HASH_BYTES: Final = len(_HASH) + 64 + 1
_SALT_BYTES: Final = len(_SALT) + 32 + 1
_WITH_FREE_JSON: Final = frozenset(
    action
    for action, kind in ENTRY_DATA.items()
    if any(Raw in (hint, *get_args(hint)) for hint in get_type_hints(kind).values())
)
"""The actions whose facts hold JSON as it was sent. All others are canonical if they are written as they were read."""


class RightEntry(Struct, frozen=True, gc=False):
    """`row_hash`: of the entry's row in `audit_log` (digest.py)."""

    trusted: TrustedEntry
    row_hash: bytes


def right_entry(value: bytes, partition: int, head: Head, last_time: str, partitions: int | None) -> RightEntry | None:
    """The entry, if it is the next one after the head and the last time (or NO_TIME), and right in every way. None if
    not, or if that cannot be told fast: a redacted entry, or JSON that is rarely written. `partitions`: None where
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
    return RightEntry(trusted, row_hash)


def _is_next(entry: Entry, partition: int, head: Head, last_time: str) -> bool:
    metadata = entry.metadata_json
    return (
        metadata.position == head.position + 1
        and metadata.prev == head.hash
        and metadata.partition == partition
        and entry.created_at > last_time
    )


def _row_hash_if_right(value: bytes, data_length: int, own_hash: str) -> bytes | None:
    """The hash of the row, if the entry's own hash is right: both are of the same bytes, but for the hash itself.

    The marks cannot occur inside a string, where a backslash precedes every quote; `data` is skipped by its length.
    Ids, times, hash and salt have the lengths of trusted ones.
    """
    data = value.index(_DATA, _LEAST_BEFORE_DATA)
    after_data = data + len(_DATA) + data_length
    hash_ = value.index(_HASH, after_data)
    salt = value.rindex(_SALT)
    first, last = value[:data], value[salt + _SALT_BYTES :]
    hashed = b"".join((first, value[after_data:hash_], value[hash_ + _HASH_BYTES : salt], last))
    if entry_hash(hashed) != own_hash:
        return None
    return sha256(b"".join((ROW, first, value[after_data:salt], last))).digest()


def _is_canonical(data: bytes, action: str, fact: Fact | None) -> bool:
    if fact is None or action in _WITH_FREE_JSON:
        return is_plainly_canonical(data)
    return encode_fact(fact) == data
