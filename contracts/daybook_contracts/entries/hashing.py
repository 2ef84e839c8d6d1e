"""The frozen hash recipes of the log: request, commit and entry hash. They take canonical (RFC 8785) bytes and the 16
raw bytes of the salt, and return 64 lower-case hex digits.
"""

from hashlib import sha256
from typing import Final

import msgspec
from msgspec import Raw, Struct

ZERO_HASH: Final = "0" * 64
"""The `prev` of a partition's first entry."""


class _Request(Struct, gc=False):
    """What the request hash covers, with the fields in JCS order."""

    actor_user_id: str | None
    data: Raw
    org_id: str | None
    type: str


def request_hash(salt: bytes, type_: str, org_id: str | None, actor_user_id: str | None, data: bytes) -> str:
    """If two commands have the same id, the hash tells whether the second is a repeat or another command. `data` is the
    result of `commands.normalised.request_json`: the normalised data without free text, as JCS bytes.
    """
    request = msgspec.json.encode(_Request(actor_user_id, Raw(data), org_id, type_))
    return sha256(b"daybook-request/v1\n" + salt + request).hexdigest()


def commit_hash(salt: bytes, data: bytes) -> str:
    """Commits an entry to its `data` (JCS bytes). The entry hash covers this commit hash, not the data itself, so the
    data can be redacted without breaking the chain.
    """
    return sha256(b"daybook-data/v1\n" + salt + data).hexdigest()


def entry_hash(preimage: bytes) -> str:
    """The hash of an entry; `preimage` is the JCS of the entry without the metadata's data, salt and hash."""
    return sha256(b"daybook-entry/v1\n" + preimage).hexdigest()
