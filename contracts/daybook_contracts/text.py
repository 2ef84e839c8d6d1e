"""Normalises ids and names: takes text as publishers write it and returns the form that Daybook stores."""

import re
import unicodedata
from functools import lru_cache
from typing import Final

from daybook_contracts.limits import NAME_LENGTH

UUID_PATTERN: Final = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
"""A UUID as Daybook writes it: hex in five groups, lower case."""

_ID_SHAPE: Final = b"xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx"
_TO_SHAPE: Final = bytes(
    ord("x") if code in b"0123456789abcdef" else code if code in b"- " else ord("?") for code in range(256)
)
"""For `bytes.translate`: `x` for a lower-case hex digit; `-` and the space stay."""

_UUID: Final = re.compile(UUID_PATTERN)
_NIL_AND_MAX = frozenset({"00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"})
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")  # all of category Cc
# NFC combines at most four code points into one, so a text above this length is too long in NFC too and is not
# normalised. Python's time for NFC grows with the square of the length: minutes for a text as long as an envelope.
_LONGEST_BEFORE_NFC = 4 * NAME_LENGTH


def is_uuid(text: str) -> bool:
    """Whether the text has the form 8-4-4-4-12 in hex, in any case and of any version."""
    # `lower` turns no other character into a hex digit. Ignoring the case in the expression takes three times as long.
    return _UUID.fullmatch(text.lower()) is not None


def hex_shape(text: str) -> bytes:
    """The text with each lower-case hex digit replaced by `x`, and all else except hyphens and spaces by `?`. Comparing
    the shape of several ids at once, with spaces between them, is five times faster than matching each.
    """
    return text.encode().translate(_TO_SHAPE)


@lru_cache(maxsize=16)
def shape_of_ids(number: int) -> bytes:
    """The `hex_shape` of `number` UUIDs in the form that Daybook writes. No other text has this shape."""
    return b" ".join([_ID_SHAPE] * number)


def printable(text: str, longest: int = 300) -> str:
    """Text from outside Daybook, made safe for a log line and for PostgreSQL: cut to `longest` characters, with each
    unprintable character replaced.
    """
    shown = text if len(text) <= longest else text[:longest] + "…"
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in shown)


def uuid_text(text: str) -> str:
    """The id in lower case. Raises ValueError for any form but 8-4-4-4-12 hex, and for the nil and max UUIDs."""
    # Nearly all ids are in lower case. This comparison takes a third of the time of the expression.
    if text.isascii() and text.encode().translate(_TO_SHAPE) == _ID_SHAPE and text not in _NIL_AND_MAX:
        return text
    lower = text.lower()
    if _UUID.fullmatch(lower) is None or lower in _NIL_AND_MAX:
        raise ValueError("must be a UUID written as 8-4-4-4-12 hex digits, neither nil nor max")
    return lower


def uuid_version(canonical: str) -> int | None:
    """The version of an id in canonical form; None if the id does not have the variant of RFC 9562."""
    return int(canonical[14], 16) if canonical[19] in "89ab" else None


def name_text(text: str) -> str:
    """The name, stripped and in NFC. Raises ValueError unless it has 1 to 200 code points, none a control character."""
    stripped = text.strip()
    name = unicodedata.normalize("NFC", stripped) if len(stripped) <= _LONGEST_BEFORE_NFC else stripped
    if not 1 <= len(name) <= NAME_LENGTH:
        raise ValueError(f"must have 1 to {NAME_LENGTH} characters after trimming")
    if _CONTROL.search(name):
        raise ValueError("must not hold control characters")
    return name
