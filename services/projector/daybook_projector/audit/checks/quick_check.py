"""The quick check of a run of entries: takes their bytes and the expected place of the first; returns the entries if
all checks of docs/verify.md certainly hold for each. At the first doubt it gives up. A single entry that fails is then
judged by each check in turn (`judge` in entry_checks.py).

Most entries are right, so this check is most of the cost of verifying. Each step goes through the whole run, which
saves a call for each entry, and builds nothing that only some callers need.
"""

from collections.abc import Sequence
from hashlib import sha256
from operator import lt
from typing import Final, NamedTuple, get_args, get_type_hints

from msgspec import Raw

from daybook_contracts.entries.entry import Entry, decode_entries, encode_entries
from daybook_contracts.entries.facts import ENTRY_DATA
from daybook_contracts.entries.fields import Fact, encode_fact
from daybook_contracts.entries.hashing import entry_hash
from daybook_contracts.entries.reading_runs import trusted_facts
from daybook_contracts.json.canonical import is_plainly_canonical
from daybook_contracts.log.head import Head
from daybook_contracts.routing import partition_of
from daybook_projector.audit.checks.digest import ROW

RUN: Final = 100
"""How many entries to check at once. A run and all that is made from it should fit into a core's cache."""

# Marks: how JCS begins a member that is not the first of its object.
_DATA: Final = b',"data":'
_HASH: Final = b',"hash":"'
_SALT: Final = b',"salt":"'
_DATA_SEARCH_START: Final = 300
"""In a trusted entry, `data` never begins before this index: three ids, a time and the commit come first, each with its
name.
"""
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


class CheckedRun(NamedTuple):
    """The entries, their facts (None for failures), and the hashes of their rows in `audit_log` (digest.py)."""

    entries: list[Entry]
    facts: list[Fact | None]
    row_hashes: list[bytes]


def check_quickly(
    values: list[bytes], partition: int, head: Head, last_time: str, partitions: int | None
) -> CheckedRun | None:
    """The entries, if they follow the head and the last time (or NO_TIME), and every check holds for each. None if a
    check fails, or if more work is needed to tell: for a redacted entry, and for unusual JSON. `partitions`:
    None if their number is not known.
    """
    try:
        entries = decode_entries(values)
        if not _are_next(entries, partition, head, last_time) or encode_entries(entries) != values:
            return None
        data = [bytes(entry.metadata_json.data) for entry in entries]
        facts = trusted_facts(entries, data)
    except (ValueError, RecursionError):
        return None
    row_hashes = _row_hashes_if_right(values, entries, data)
    if row_hashes is None or not _are_canonical(data, entries, facts):
        return None
    if partitions is not None and not _belong_to(partition, partitions, entries):
        return None
    return CheckedRun(entries, facts, row_hashes)


def _are_next(entries: Sequence[Entry], partition: int, head: Head, last_time: str) -> bool:
    places = [entry.metadata_json for entry in entries]
    times = [last_time, *(entry.created_at for entry in entries)]
    return (
        [place.position for place in places] == list(range(head.position + 1, head.position + 1 + len(places)))
        and [place.prev for place in places] == [head.hash, *(place.hash for place in places[:-1])]
        and all(place.partition == partition for place in places)
        and all(map(lt, times, times[1:]))
    )


def _row_hashes_if_right(
    values: Sequence[bytes], entries: Sequence[Entry], data: Sequence[bytes]
) -> list[bytes] | None:
    """The hashes of the rows, if the entries' own hashes are right. Both hashes cover the entry without its data and
    salt; the row's hash covers the entry's own hash too.

    A mark cannot occur inside a string, where a backslash precedes every quote. `data` is skipped by its length. In a
    trusted entry, the ids, the times, the hash and the salt have fixed lengths.
    """
    row_hashes = []
    for value, entry, skipped in zip(values, entries, data, strict=True):
        start = value.index(_DATA, _DATA_SEARCH_START)
        end = start + len(_DATA) + len(skipped)
        hash_ = value.index(_HASH, end)
        salt = value.rindex(_SALT)
        first, last = value[:start], value[salt + _SALT_MEMBER_LENGTH :]
        hashed = b"".join((first, value[end:hash_], value[hash_ + _HASH_MEMBER_LENGTH : salt], last))
        if entry_hash(hashed) != entry.metadata_json.hash:
            return None
        row_hashes.append(sha256(b"".join((ROW, first, value[end:salt], last))).digest())
    return row_hashes


def _are_canonical(data: Sequence[bytes], entries: Sequence[Entry], facts: Sequence[Fact | None]) -> bool:
    for value, entry, fact in zip(data, entries, facts, strict=True):
        if fact is None or entry.action in _WITH_FREE_JSON:
            if not is_plainly_canonical(value):
                return False
        elif encode_fact(fact) != value:
            return False
    return True


def _belong_to(partition: int, partitions: int, entries: Sequence[Entry]) -> bool:
    orgs = {entry.org_id for entry in entries if entry.org_id is not None}
    return all(partition_of(org_id, partitions) == partition for org_id in orgs)
