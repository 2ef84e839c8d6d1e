"""Who wrote a record of the commands topic: a key, and what the record says, in; the value of `daybook-signature` out.
Knows nothing of who has which key, or of what its holder may do.
"""

import hmac
from collections.abc import Iterable


def sign(key: bytes, principal: bytes, door: bytes, value: bytes) -> bytes:
    r"""Hex of HMAC-SHA256(key, principal || "\n" || door mark || "\n" || value), with both headers as they are sent.

    `door` is empty but for the HTTP door. A principal has no newline and a mark is empty or `http`: no two records have
    the same text.
    """
    return hmac.digest(key, b"\n".join((principal, door, value)), "sha256").hex().encode()


def is_signed(signature: bytes, keys: Iterable[bytes], principal: bytes, door: bytes, value: bytes) -> bool:
    """Whether one of the keys made the signature; hex digits in any case. Compares in constant time."""
    given = signature.lower()
    return any(hmac.compare_digest(given, sign(key, principal, door, value)) for key in keys)
