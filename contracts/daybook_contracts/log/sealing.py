"""Sealing: makes the record of an entry whose place in the log is known."""

from typing import Final

from daybook_contracts.entries.entry import Entry, encode_entry
from daybook_contracts.entries.hashing import entry_hash

_DATA: Final = b',"data":'
_HASH: Final = b',"hash":"'
_KEY: Final = b',"key":'
_SALT: Final = b',"salt":'
_SCOPE: Final = b',"scope":'


def seal(entry: Entry) -> bytes:
    """The entry's JCS bytes. The computed hash replaces the entry's `hash`, which may be any 64 hex digits.

    `position` and `prev` must follow the log's head, and `commit` must fit `data` and `salt`. This is not checked.
    """
    metadata, value = entry.metadata_json, encode_entry(entry)
    length = len(memoryview(metadata.data))
    digest = entry_hash(hash_preimage(value, length))
    start = value.index(_HASH, value.index(_DATA) + len(_DATA) + length) + len(_HASH)
    return b"%b%b%b" % (value[:start], digest.encode(), value[start + len(metadata.hash) :])


def hash_preimage(value: bytes, data_length: int) -> bytes:
    """The JCS of an entry without data, hash and salt: `value`, from encode_entry, with these members cut out.

    The marks that this searches for (`_HASH`, ...) cannot occur inside a string, where a backslash precedes every
    quote. They can occur in `data`, which is skipped by its length.
    """
    data = value.index(_DATA)
    after_data = data + len(_DATA) + data_length
    hash_ = value.index(_HASH, after_data)
    after_hash = value.index(_KEY, hash_)
    salt = value.index(_SALT, after_hash)
    after_salt = value.index(_SCOPE, salt)
    return b"%b%b%b%b" % (value[:data], value[after_data:hash_], value[after_hash:salt], value[after_salt:])
