"""The forms of values that docs/verify.md names: takes any JSON value, and says whether it has the form."""

import re
from typing import Any, Final, TypeGuard

from daybook_contracts.entries import reading
from daybook_contracts.limits import MAX_SAFE_INTEGER
from daybook_contracts.text import UUID_PATTERN

Json = dict[str, Any]

_UUID: Final = re.compile(UUID_PATTERN)
_HASH: Final = re.compile("[0-9a-f]{64}")


def is_uuid(found: object) -> TypeGuard[str]:
    return isinstance(found, str) and _UUID.fullmatch(found) is not None


def is_hash(found: object) -> TypeGuard[str]:
    return isinstance(found, str) and _HASH.fullmatch(found) is not None


def is_time(found: object) -> TypeGuard[str]:
    return isinstance(found, str) and reading.is_time(found)


def is_number(found: object, number: int) -> bool:
    """Whether the value is this number. (In Python, `True == 1`.)"""
    return type(found) in {int, float} and found == number


def count(found: object) -> int | None:
    """The value as an integer from 0 to 2**53 - 1; None if it is not one. `1.0` and `1e2` are integers too."""
    if isinstance(found, bool) or not isinstance(found, int | float) or not 0 <= found <= MAX_SAFE_INTEGER:
        return None
    return int(found) if found == int(found) else None


def as_json(position: int) -> float:
    """A position that may be one too high for JSON, as a number that has a canonical form."""
    return position if position <= MAX_SAFE_INTEGER else float(position)
