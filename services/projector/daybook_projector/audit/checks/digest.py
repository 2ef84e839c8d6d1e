"""The digest of a partition of `audit_log`, which commits to every row but not to data that may be redacted."""

from collections.abc import Iterable
from hashlib import sha256
from typing import Any, Final

from daybook_contracts.json.canonical import canonical_bytes, parse_as_ecmascript

EMPTY: Final = bytes(32)
"""The digest of a partition without rows."""

ROW: Final = b"daybook-row/v1\n"
"""The prefix of a row's bytes when they are hashed."""

_DATA: Final = b',"data":'
_SALT: Final = b',"salt":'
_SCOPE: Final = b',"scope":'


def extended(digest: bytes, *row_hashes: bytes) -> bytes:
    """The digest after these rows are added."""
    for row_hash in row_hashes:
        digest = sha256(digest + row_hash).digest()
    return digest


def entry_row_hash(value: bytes, data_length: int | None = None) -> bytes:
    """The hash of an entry's row, from the JCS bytes of the entry. `data_length`: the length of the JCS of `data`, if
    the entry has the shape of version 1; otherwise None, which is slower.
    """
    row = _generic_row(value) if data_length is None else _row(value, data_length)
    return sha256(ROW + row).digest()


def of_partitions(digests: Iterable[bytes]) -> bytes:
    """The digest of the whole table, from the digests of all partitions in the order of the partitions."""
    return sha256(b"".join(digests)).digest()


def _row(value: bytes, data_length: int) -> bytes:
    """The entry without data and salt. The marks, such as `,"salt":`, cannot occur inside a string, where a backslash
    precedes every quote. `data` is skipped by its length.
    """
    data = value.index(_DATA)
    after_data = data + len(_DATA) + data_length
    salt = value.index(_SALT, after_data)
    return b"%b%b%b" % (value[:data], value[after_data:salt], value[value.index(_SCOPE, salt) :])


def _generic_row(value: bytes) -> bytes:
    entry: Any = parse_as_ecmascript(value.decode())
    metadata = {name: member for name, member in entry["metadata_json"].items() if name not in {"data", "salt"}}
    return canonical_bytes({**entry, "metadata_json": metadata})
