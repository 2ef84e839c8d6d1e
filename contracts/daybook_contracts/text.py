"""Ids, names and free text as publishers write them, into the one form that Daybook keeps."""

import re
import unicodedata
from typing import Final

from daybook_contracts.limits import NAME_LENGTH

UUID_PATTERN: Final = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
"""A UUID as Daybook writes it: hex in five groups, lower case."""

_UUID_ANY_CASE: Final = re.compile(UUID_PATTERN, re.IGNORECASE | re.ASCII)
_NIL_AND_MAX = frozenset({"00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"})
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")  # category Cc, whole
# NFC makes one code point of at most four. Python takes the square of the length for it: minutes for an envelope's.
_LONGEST_UNCOMPOSED = 4 * NAME_LENGTH


def is_uuid(text: str) -> bool:
    """Says whether the text has the form 8-4-4-4-12 in hex, any case, any version."""
    return _UUID_ANY_CASE.fullmatch(text) is not None


def printable(text: str, longest: int = 300) -> str:
    """What others chose, fit for a log and for PostgreSQL: cut where it is long, without what nobody prints."""
    shown = text if len(text) <= longest else text[:longest] + "…"
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in shown)


def uuid_text(text: str) -> str:
    """An id in lower case; raises ValueError on any form but 8-4-4-4-12 hex, on nil and on max."""
    lower = text.lower()
    if not is_uuid(text) or lower in _NIL_AND_MAX:
        raise ValueError("must be a UUID written as 8-4-4-4-12 hex digits, neither nil nor max")
    return lower


def uuid_version(canonical: str) -> int | None:
    """The version of an id in canonical form; None where the variant is not RFC 9562's."""
    return int(canonical[14], 16) if canonical[19] in "89ab" else None


def name_text(text: str) -> str:
    """A name stripped and in NFC; raises ValueError unless 1..200 code points without control characters are left."""
    stripped = text.strip()
    name = unicodedata.normalize("NFC", stripped) if len(stripped) <= _LONGEST_UNCOMPOSED else stripped
    if not 1 <= len(name) <= NAME_LENGTH:
        raise ValueError(f"must have 1 to {NAME_LENGTH} characters after trimming")
    if _CONTROL.search(name):
        raise ValueError("must not hold control characters")
    return name
