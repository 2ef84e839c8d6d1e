"""The numbers of PostgreSQL's jsonb: its text in; the value with doubles, and the first number that is not exactly a
double, out. jsonb keeps decimal numbers of any size; JCS has doubles only (docs/verify.md).
"""

import json
import re
from decimal import Decimal
from math import isinf
from typing import Final

import orjson
from msgspec import Struct

from daybook_contracts.json.canonical import MAX_DEPTH, NotCanonical, canonical_bytes, is_too_deep

_LONG_NUMBER: Final = re.compile(r"(?:\A|[ \[])-?[0-9.]{16}")
"""A text without a match has only numbers of at most 15 digits, and each is the shortest decimal of its double. A
space, an opening bracket or nothing precedes a number. A match inside a string only costs time.
"""
_NOT_PLAIN: Final = re.compile(r"[ \[](?:-|[0-9]{16}|[0-9]+\.)")
"""Matches a number in an array or object that is negative, has 16 digits or more, or has a fraction."""


class Unhashable(ValueError):
    """The value has no canonical form. The message gives the reason."""


class JsonbValue(Struct, frozen=True, gc=False):
    """`jcs`: the JCS of the value, with every number as a double. `inexact`: the first number that is not exactly the
    shortest decimal of its double, as PostgreSQL writes it; None if there is none.
    """

    jcs: bytes
    inexact: str | None = None


def read_jsonb(text: str) -> JsonbValue:
    """Raises `Unhashable` if a number overflows a double, or if the value is nested deeper than `MAX_DEPTH`."""
    if text.count("[") + text.count("{") > MAX_DEPTH and is_too_deep(text.encode()):
        raise Unhashable(f"nested deeper than {MAX_DEPTH}")
    try:
        if _is_plain(text):
            return JsonbValue(_sorted(text))
        if _LONG_NUMBER.search(text) is None:
            return JsonbValue(canonical_bytes(orjson.loads(text)))
        numbers = _Numbers()
        return JsonbValue(canonical_bytes(numbers.parse(text)), numbers.inexact)
    except (NotCanonical, orjson.JSONDecodeError) as error:
        raise Unhashable(str(error)) from error


def _is_plain(text: str) -> bool:
    """Whether the text certainly is an object in ASCII whose only numbers are non-negative integers of up to 15
    digits.
    """
    if text[:1] != "{" or not text.isascii():
        return False
    # If the text has no escapes, every second piece is inside a string.
    outside = text if "\\" in text else "".join(text.split('"')[::2])
    return _NOT_PLAIN.search(outside) is None


def _sorted(text: str) -> bytes:
    """The JCS of a plain object."""
    value = orjson.loads(text)
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:  # too deep for orjson
        return canonical_bytes(value)


class _Numbers:
    """Remembers the first inexact number of a text. PostgreSQL writes numbers without exponents."""

    def __init__(self) -> None:
        self.inexact: str | None = None

    def parse(self, text: str) -> object:
        value: object = json.JSONDecoder(parse_int=self._double, parse_float=self._double).decode(text)
        return value

    def _double(self, literal: str) -> float:
        number = float(literal)
        if isinf(number):
            raise Unhashable("a number overflows a double")
        if self.inexact is None and Decimal(literal) != Decimal(repr(number)):
            self.inexact = literal
        return number
