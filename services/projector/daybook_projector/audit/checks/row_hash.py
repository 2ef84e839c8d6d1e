"""The bytes and hash of a row, and the digest of a table (docs/verify.md): values in, bytes out. The results must never
change, because certificates of different versions are compared.
"""

from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Final

import orjson

_ROW: Final = b"daybook-row/v1\n"


def row_bytes(row: Mapping[str, object]) -> bytes:
    """The JCS of a row. Its integers must be at most 2**53 - 1. The values of JSON columns come from `json_value`."""
    return orjson.dumps(row, option=orjson.OPT_SORT_KEYS)


def json_value(jcs: str | bytes) -> orjson.Fragment:
    """The value of a JSON column, from its JCS."""
    return orjson.Fragment(jcs)


def row_hash(jcs_row: bytes) -> bytes:
    return sha256(_ROW + jcs_row).digest()


class TableDigest:
    """The digest of a table other than `audit_log`, from the hashes of its rows in the order of their keys."""

    def __init__(self) -> None:
        self._hash = sha256()

    def add(self, row_hashes: Iterable[bytes]) -> None:
        self._hash.update(b"".join(row_hashes))

    def hexdigest(self) -> str:
        return self._hash.hexdigest()
