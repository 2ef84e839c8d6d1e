"""Encodes JSON values to their only canonical form (RFC 8785, JCS), and decodes them.

orjson writes every value for which its output equals JCS. Numbers that orjson would format differently are passed to it
as text. If a value would differ in another way (unusual keys, great depth), `rfc8785` writes the whole value.
"""

import json
import re
from collections.abc import Iterable
from math import isfinite
from typing import Any, Final

import msgspec
import orjson
import rfc8785

from daybook_contracts.limits import MAX_SAFE_INTEGER

MAX_DEPTH: Final = 512
"""Deeper JSON is not parsed. Entries have a depth of at most 35; at depths far above 512, parsers differ or overflow.
"""

_FIRST_CHAR_OUT_OF_ORDER: Final = "\ue000"
"""For keys with this or a later character, UTF-16 order (JCS) and code point order (orjson) may differ."""

_SMALLEST_PLAIN, _FIRST_NOT_PLAIN = 1e-5, 2.0**53
"""Between these, orjson writes a float with a fraction as JCS does, without an exponent. Larger floats are whole."""

_SMALLEST_PLAIN_POWER, _LARGEST_PLAIN_POWER = -6, 20
"""Powers of ten between which ECMAScript writes a number without an exponent."""

_ORJSON_DEPTH: Final = 254
"""orjson refuses to write deeper values."""

_BRACKET_OR_STRING: Final = re.compile(rb'[\[{\]}]|"(?:[^"\\]|\\.)*"?', re.DOTALL)
"""Also matches a string without an end; otherwise a search would start at each quote in it, in quadratic time."""

_DEPTH_CHANGE: Final = {b"[": 1, b"{": 1, b"]": -1, b"}": -1}


class NotCanonical(ValueError):
    """Bytes that are not canonical, or a value without a canonical form: NaN, infinity, an integer beyond 2**53 - 1,
    a lone surrogate.
    """


def canonical_bytes(value: object) -> bytes:
    """The JCS bytes of a JSON value (None, bool, int, float, str, list, dict with str keys). Raises NotCanonical."""
    encoded = _by_orjson(value)
    if encoded is not None:
        return encoded
    try:
        return rfc8785.dumps(value)  # type: ignore[arg-type]  # checks types itself
    except ValueError as error:
        raise NotCanonical(str(error)) from error


def is_plainly_canonical(value: bytes) -> bool:
    """True only for JCS bytes. If it is False, `parse_canonical` has to decide, which takes about ten times as long."""
    try:
        return (value.isascii() and _written_plainly(value) == value) or _by_orjson(orjson.loads(value)) == value
    except orjson.JSONDecodeError:
        return False


def parse_canonical(value: bytes) -> object:
    """The JSON value of JCS bytes, with integers beyond 2**53 - 1 as floats. Raises NotCanonical."""
    if is_too_deep(value):
        raise NotCanonical(f"nested deeper than {MAX_DEPTH}")
    try:
        parsed = parse_as_ecmascript(value.decode())
    except ValueError as error:
        raise NotCanonical(str(error)) from error
    if canonical_bytes(parsed) != value:
        raise NotCanonical("not the canonical form of its value")
    return parsed


def parse_as_ecmascript(text: str) -> object:
    """The value of any JSON text, with numbers as ECMAScript reads them. Read this way, a value from PostgreSQL equals
    the value written, although jsonb writes 1e+21 in full. Raises ValueError, but accepts NaN and infinities, which
    have no canonical form.
    """
    parsed: object = _ECMASCRIPT.decode(text)
    return parsed


def is_too_deep(value: bytes) -> bool:
    """Whether JSON text is nested deeper than `MAX_DEPTH`."""
    if value.count(b"[") + value.count(b"{") <= MAX_DEPTH:
        return False
    depth = 0
    for found in _BRACKET_OR_STRING.finditer(value):
        depth += _DEPTH_CHANGE.get(found.group(), 0)
        if depth > MAX_DEPTH:
            return True
    return False


def _ecmascript_integer(literal: str) -> float:
    """An integer literal as ECMAScript reads it: a double. Returns an int if the double is a safe integer."""
    if len(literal) > 17:  # certainly unsafe; int() would be slow for a literal of a million digits
        return float(literal)
    number = int(literal)
    return number if abs(number) <= MAX_SAFE_INTEGER else float(number)


_ECMASCRIPT: Final = json.JSONDecoder(parse_int=_ecmascript_integer)


class _NotPlain(Exception):
    """orjson cannot write the value as JCS; `rfc8785` has to write or refuse it."""


def _plain_float(literal: str) -> float:
    number = float(literal)
    if not _is_plain_number(number):
        raise _NotPlain
    return number


_PLAIN_VALUE: Final = msgspec.json.Decoder(float_hook=_plain_float)


def _written_plainly(text: bytes) -> bytes | None:
    """The JCS of an ASCII text's value, if the text is JCS. Any other text may give other bytes, or None.

    Only floats are checked in Python, not the order of keys, although orjson may sort keys that are not ASCII
    differently from JCS. In an ASCII text, such a key is written with escapes, but orjson writes the characters
    themselves, so the result then differs from the text.
    """
    try:
        return orjson.dumps(_PLAIN_VALUE.decode(text), option=orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER)
    except (ValueError, RecursionError, _NotPlain, orjson.JSONEncodeError):
        return None


def _by_orjson(value: object) -> bytes | None:
    """The JCS of the value, or None if orjson cannot write the value as JCS."""
    try:
        plain = value if _is_plain(value) else _with_plain_numbers(value, 0)
        return orjson.dumps(plain, option=orjson.OPT_SORT_KEYS)
    except (_NotPlain, orjson.JSONEncodeError):  # orjson refuses lone surrogates and deep values
        return None


def _is_plain(value: object) -> bool:
    """Whether orjson's sorted output is certainly the JCS of the value. Looks at each node once."""
    containers: list[Any] = [[value]]
    for container in containers:  # the loop adds to this list
        if type(container) is dict:
            if not _have_plain_order(container):
                return False
            nodes = container.values()
        else:
            nodes = container
        for node in nodes:
            kind = type(node)
            if kind is str or node is None or kind is bool:
                continue
            if kind is dict or kind is list:
                containers.append(node)
            elif not _is_plain_number(node):
                return False
    return True


def _with_plain_numbers(value: object, depth: int) -> object:
    """An equal value for which orjson's sorted output is the JCS. Raises _NotPlain."""
    if type(value) is str or value is None or type(value) is bool or _is_plain_number(value):
        return value
    if type(value) is float:
        return _plain_number(value)
    if depth < _ORJSON_DEPTH:
        if type(value) is list:
            return [_with_plain_numbers(item, depth + 1) for item in value]
        if type(value) is dict and _have_plain_order(value):
            return {key: _with_plain_numbers(item, depth + 1) for key, item in value.items()}
    raise _NotPlain


def _have_plain_order(keys: Iterable[Any]) -> bool:
    """Whether the keys are strings, and certainly have the same order in UTF-16 and by code point."""
    try:
        characters = "".join(keys)
    except TypeError:  # a key is not a string
        return False
    return characters.isascii() or max(characters) < _FIRST_CHAR_OUT_OF_ORDER


def _is_plain_number(node: object) -> bool:
    """Whether the node is a safe integer, or a float that orjson writes as JCS does."""
    if type(node) is int:
        return -MAX_SAFE_INTEGER <= node <= MAX_SAFE_INTEGER
    if type(node) is float:
        return _SMALLEST_PLAIN <= abs(node) < _FIRST_NOT_PLAIN and not node.is_integer()
    return False


def _plain_number(number: float) -> int | orjson.Fragment:
    if number.is_integer() and abs(number) <= MAX_SAFE_INTEGER:
        return int(number)  # JCS writes 1.0 as 1 and -0.0 as 0
    if not isfinite(number):
        raise _NotPlain
    return orjson.Fragment(_ecmascript_text(number))


def _ecmascript_text(number: float) -> str:
    """A finite number other than zero, as ECMA-262 (Number::toString) writes it. repr() gives the same digits, but
    decides differently when to use an exponent. For a value with many numbers this is faster than `rfc8785`.
    """
    text = repr(number)
    mantissa, _, exponent = text.partition("e")
    if not exponent:
        return text.removesuffix(".0")
    power = int(exponent)
    sign, digits = "-" if number < 0 else "", mantissa.lstrip("-").replace(".", "")
    if _SMALLEST_PLAIN_POWER <= power < 0:
        return f"{sign}0.{'0' * (-power - 1)}{digits}"
    if 0 <= power <= _LARGEST_PLAIN_POWER:
        return f"{sign}{digits:0<{power + 1}}"
    return f"{mantissa}e{power:+d}"
