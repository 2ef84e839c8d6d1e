"""The sender of a command, a service or a user, written `service:<name>` or `user:<uuid>` in headers and entries. Also
the signature that proves the sender over Kafka.
"""

import hmac
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from msgspec import Struct

from daybook_contracts.text import is_uuid, uuid_text

SERVICE_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")


class InvalidPrincipal(ValueError):
    """The text is neither `service:<name>` nor `user:<uuid>`, or uses a reserved name."""


class Service(Struct, frozen=True, gc=False):
    name: str

    def __str__(self) -> str:
        return f"service:{self.name}"


class User(Struct, frozen=True, gc=False):
    user_id: str

    def __str__(self) -> str:
        return f"user:{self.user_id}"


Principal = Service | User

DAYBOOK: Final = Service("daybook")
"""The principal of the entries that policies make. No sender may claim it."""

UNNAMED: Final = Service("unnamed")
"""A Kafka publisher that gave no name."""


def parse_principal(text: str) -> Principal:
    """Reads any principal of an entry, `service:daybook` included. Raises InvalidPrincipal."""
    kind, _, name = text.partition(":")
    if kind == "user" and is_uuid(name):
        return User(name.lower())
    if kind == "service" and SERVICE_NAME.fullmatch(name):
        return Service(name)
    raise InvalidPrincipal("a principal is service:<name> or user:<uuid>")


@lru_cache(maxsize=10_000)  # about 2 MB
def parse_publisher(header: bytes | None) -> Principal:
    """Reads the principal that a publisher's header claims. Raises InvalidPrincipal, also for `service:daybook` and for
    a user with the nil or the max UUID.
    """
    if header is None:
        return UNNAMED
    try:
        principal = parse_principal(header.decode("ascii"))
    except UnicodeDecodeError as error:
        raise InvalidPrincipal("a principal is ASCII") from error
    if principal == DAYBOOK:
        raise InvalidPrincipal("the name daybook is reserved")
    if isinstance(principal, User):
        _refuse_nil_and_max(principal.user_id)
    return principal


def _refuse_nil_and_max(user_id: str) -> None:
    try:
        uuid_text(user_id)
    except ValueError as error:
        raise InvalidPrincipal(f"a user's id {error}") from error


def sign(key: bytes, principal: bytes, door: bytes, value: bytes) -> bytes:
    r"""Hex of HMAC-SHA256(key, principal || "\n" || door || "\n" || value), with both headers as they are sent.

    `door` is empty, or `http` for the HTTP door. A principal has no newline, so different records never have the
    same signed text.
    """
    return hmac.digest(key, b"\n".join((principal, door, value)), "sha256").hex().encode()


def is_signed(signature: bytes, keys: Iterable[bytes], principal: bytes, door: bytes, value: bytes) -> bool:
    """Whether one of the keys made the signature, whose hex digits may be in any case. Compares in constant time."""
    given = signature.lower()
    return any(hmac.compare_digest(given, sign(key, principal, door, value)) for key in keys)
