"""Makes the checks of `reading.trust` on a run of decoded entries, in two thirds of the time per entry: entries in,
their facts out. A check that is the same for all entries, such as the form of their ids, is made for all at once.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256
from typing import Final

from daybook_contracts.entries.entry import Entry, Metadata, actor_of, identity_of
from daybook_contracts.entries.fields import Fact
from daybook_contracts.entries.hashing import commit_hash
from daybook_contracts.entries.identity import FIRST_ID, NO_ACTOR
from daybook_contracts.entries.reading import (
    USER_ACTION,
    check_action,
    checked_fact,
    has_right_scope_and_key,
    is_time,
    trust,
)
from daybook_contracts.text import hex_shape, shape_of_ids

_SALT: Final = b"x" * 32
_MINUTE, _TIME = len("0000-00-00T00:00"), len("0000-00-00T00:00:00.000000Z")
_SECONDS: Final = re.compile(r"(?::[0-5]\d\.\d{6}Z)*", re.ASCII)
_ID_BYTES: Final = 16
_KEPT_OF_ID: Final = bytes.fromhex("ffffffffffff0fff3fffffffffffffff")
_SET_IN_ID: Final = bytes.fromhex("00000000000080008000000000000000")
"""Which bits of an id come from its command and its digest, and which are the version and the variant."""


def trusted_facts(entries: Sequence[Entry], data: Sequence[bytes]) -> list[Fact | None]:
    """The fact of each entry (None for a failure). `data`: the bytes of each entry's data. Raises ValueError if one of
    the entries cannot be trusted.
    """
    if len(entries) == 1:
        return [trust(entries[0]).fact]
    metadata = [entry.metadata_json for entry in entries]
    for entry in entries:
        check_action(entry)
    _check_forms(entries, metadata)
    _check_commits(metadata, data)
    facts = list(map(checked_fact, entries))
    _check_identities(entries, metadata)
    return facts


def _check_forms(entries: Sequence[Entry], metadata: Sequence[Metadata]) -> None:
    columns = (
        [entry.entity_id for entry in entries],
        [each.command_id for each in metadata],
        [each.key for each in metadata],
        [entry.org_id for entry in entries if entry.org_id is not None],
        [entry.project_id for entry in entries if entry.project_id is not None],
        [entry.actor_user_id for entry in entries if entry.actor_user_id is not None],
    )
    ids = " ".join([" ".join(column) for column in columns if column])
    salts = " ".join([each.salt or "" for each in metadata])
    if hex_shape(ids) != shape_of_ids(sum(map(len, columns))):
        raise ValueError("an id is not a UUID in lower case")
    if hex_shape(salts) != b" ".join([_SALT] * len(metadata)):
        raise ValueError("a salt is not 32 hex digits")
    if not _are_times([entry.created_at for entry in entries]):
        raise ValueError("created_at is not a time with six fraction digits and Z")


def _are_times(texts: Sequence[str]) -> bool:
    """Checks each minute once. All texts must have the same length, so all seconds can be checked in one pass."""
    minutes, seconds = {text[:_MINUTE] for text in texts}, "".join([text[_MINUTE:] for text in texts])
    have_length = all(len(text) == _TIME for text in texts)
    are_right = have_length and _SECONDS.fullmatch(seconds) is not None
    return are_right and all(is_time(f"{minute}:00.000000Z") for minute in minutes)


def _check_commits(metadata: Sequence[Metadata], data: Sequence[bytes]) -> None:
    for each, committed in zip(metadata, data, strict=True):
        if commit_hash(bytes.fromhex(each.salt or ""), committed) != each.commit:
            raise ValueError("the commit does not fit the data")


def _check_identities(entries: Sequence[Entry], metadata: Sequence[Metadata]) -> None:
    """Does not build an `Identity` for usual entries, those of an org."""
    parts = []
    for entry, each in zip(entries, metadata, strict=True):
        if each.ordinal >= each.entries:
            raise ValueError(f"ordinal {each.ordinal} of {each.entries} entries")
        is_usual = each.scope == "org" and each.key == entry.org_id and entry.action != USER_ACTION
        if not is_usual and not has_right_scope_and_key(identity_of(entry), entry):
            raise ValueError(f"scope {each.scope} and key do not fit the entry")
        actor = actor_of(entry) if each.scope == "outsider" else None
        parts.append(f"{each.key}{NO_ACTOR if actor is None else actor}{each.command_id}")
    if _first_ids(metadata, bytes.fromhex("".join(parts).replace("-", ""))) != _bytes_of([e.id for e in entries]):
        raise ValueError("an id is not that of its identity")


def _first_ids(metadata: Sequence[Metadata], parts: bytes) -> bytes:
    """The bytes of `Identity.first_id` of each entry, one after another. `parts`: key, actor and command id of each."""
    ids: list[bytes] = []
    for start, each in zip(range(0, len(parts), 3 * _ID_BYTES), metadata, strict=True):
        end = start + 3 * _ID_BYTES
        preimage = (FIRST_ID, each.scope.encode(), b"\n", parts[start:end], each.ordinal.to_bytes(4, "big"))
        ids += (parts[end - _ID_BYTES : end - 10], sha256(b"".join(preimage)).digest()[:10])
    kept, set_ = _bits(len(metadata))
    return (int.from_bytes(b"".join(ids), "big") & kept | set_).to_bytes(_ID_BYTES * len(metadata), "big")


@lru_cache(maxsize=16)
def _bits(entries: int) -> tuple[int, int]:
    return int.from_bytes(_KEPT_OF_ID * entries, "big"), int.from_bytes(_SET_IN_ID * entries, "big")


def _bytes_of(ids: Sequence[str]) -> bytes:
    text = " ".join(ids)
    if hex_shape(text) != shape_of_ids(len(ids)):
        raise ValueError("an id is not a UUID in lower case")
    return bytes.fromhex(text.replace("-", ""))
