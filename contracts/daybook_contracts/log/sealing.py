"""Sealing: an entry is put behind the head of its partition's log.
Enters: what a writer decided, and the head. Leaves: the record's bytes and the new head. Knows no rule of business.
"""

from typing import Final

from msgspec import UNSET, Raw, Struct

from daybook_contracts.entries.entry import VERSION, Entry, EntryError, Metadata, Result, encode_entry
from daybook_contracts.entries.hashing import ZERO_HASH, commit_hash, entry_hash
from daybook_contracts.entries.identity import Scope
from daybook_contracts.log.head import Head

_DATA: Final = b',"data":'
_HASH: Final = b',"hash":"'
_KEY: Final = b',"key":'
_SALT: Final = b',"salt":'
_SCOPE: Final = b',"scope":'


class Unsealed(Struct, frozen=True, kw_only=True, gc=False):
    """An entry without its place in the log. `data` is JCS bytes, `salt` 32 hex digits, `error` only of failures."""

    action: str
    actor_user_id: str | None
    created_at: str
    entity_id: str
    entity_type: str
    id: str
    org_id: str | None
    project_id: str | None
    result: Result
    command_id: str
    data: bytes
    entries: int
    error: EntryError | None
    key: str
    ordinal: int
    partition: int
    principal: str
    request: str
    salt: str
    scope: Scope


class Sealed(Struct, frozen=True, gc=False):
    """A record's value and the head that the log has with it."""

    value: bytes
    head: Head


def seal(unsealed: Unsealed, head: Head) -> Sealed:
    """Puts an entry behind the head of its partition's log: position, prev, commit and hash."""
    entry = _placed(unsealed, head)
    value = encode_entry(entry)
    digest = entry_hash(hash_preimage(value, len(unsealed.data)))
    at = value.index(_HASH, value.index(_DATA) + len(_DATA) + len(unsealed.data)) + len(_HASH)
    value = b"%b%b%b" % (value[:at], digest.encode(), value[at + 64 :])
    return Sealed(value, Head(entry.metadata_json.position, digest))


def _placed(unsealed: Unsealed, head: Head) -> Entry:
    metadata = Metadata(
        command_id=unsealed.command_id,
        commit=commit_hash(bytes.fromhex(unsealed.salt), unsealed.data),
        data=Raw(unsealed.data),
        entries=unsealed.entries,
        error=unsealed.error or UNSET,
        hash=ZERO_HASH,
        key=unsealed.key,
        ordinal=unsealed.ordinal,
        partition=unsealed.partition,
        position=head.position + 1,
        prev=head.hash,
        principal=unsealed.principal,
        request=unsealed.request,
        salt=unsealed.salt,
        scope=unsealed.scope,
        v=VERSION,
    )
    return Entry(
        action=unsealed.action,
        actor_user_id=unsealed.actor_user_id,
        created_at=unsealed.created_at,
        entity_id=unsealed.entity_id,
        entity_type=unsealed.entity_type,
        id=unsealed.id,
        metadata_json=metadata,
        org_id=unsealed.org_id,
        project_id=unsealed.project_id,
        result=unsealed.result,
    )


def hash_preimage(value: bytes, data_length: int) -> bytes:
    """The JCS of an entry without data, hash and salt, cut out of what encode_entry wrote.

    The marks cannot occur inside a string: there a quote follows a backslash, never a comma. Only `data`
    may hold such members, and it is stepped over by its length.
    """
    data = value.index(_DATA)
    after_data = data + len(_DATA) + data_length
    hash_ = value.index(_HASH, after_data)
    after_hash = value.index(_KEY, hash_)
    salt = value.index(_SALT, after_hash)
    after_salt = value.index(_SCOPE, salt)
    return b"%b%b%b%b" % (value[:data], value[after_data:hash_], value[after_hash:salt], value[after_salt:])
