"""Canonical JSON (RFC 8785, JCS): a JSON value enters, the one byte string that stands for it leaves, and back.
The fast path is taken only for values where orjson writes the same bytes; all else goes through `rfc8785`.
"""

import json
import re
from typing import Any, Final

import orjson
import rfc8785

MAX_SAFE_INTEGER: Final = 2**53 - 1
"""The largest integer up to which every integer is a double of its own."""

MAX_DEPTH: Final = 512
"""Deeper JSON is not read. Far above any entry's depth (35), far below where parsers differ or overflow."""

_FIRST_KEY_OUT_OF_ORDER: Final = "\ue000"
"""From here on UTF-16 order (JCS) and code point order (orjson) may differ."""

_SMALLEST_PLAIN, _BEYOND_PLAIN = 1e-4, 1e15
"""Between them everybody writes a float with a fraction in fixed notation."""

_BRACKET_OR_STRING: Final = re.compile(rb'[\[{\]}]|"(?:[^"\\]|\\.)*"', re.DOTALL)
_STEP: Final = {b"[": 1, b"{": 1, b"]": -1, b"}": -1}


class NotCanonical(ValueError):
    """Not the canonical form of a JSON value, or the value has none: NaN, infinity, unsafe integer, lone surrogate."""


def canonical_bytes(value: object) -> bytes:
    """The JCS bytes of a JSON value (None, bool, int, float, str, list, dict with str keys); raises NotCanonical."""
    if _is_plain(value):
        try:
            return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
        except orjson.JSONEncodeError:
            pass  # deeper than orjson goes (254), or a lone surrogate: rfc8785 decides
    try:
        return rfc8785.dumps(value)  # type: ignore[arg-type]  # it checks types itself
    except ValueError as error:
        raise NotCanonical(str(error)) from error


def is_plainly_canonical(value: bytes) -> bool:
    """True only for JCS bytes; false may also mean that only parse_canonical can tell. About ten times faster."""
    try:
        parsed = orjson.loads(value)
        return _is_plain(parsed) and orjson.dumps(parsed, option=orjson.OPT_SORT_KEYS) == value
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return False


def parse_canonical(value: bytes) -> object:
    """The JSON value whose JCS these bytes are, integers beyond 2**53 - 1 as floats; raises NotCanonical."""
    if _is_too_deep(value):
        raise NotCanonical(f"nested deeper than {MAX_DEPTH}")
    try:
        parsed = parse_json(value.decode())
    except ValueError as error:
        raise NotCanonical(str(error)) from error
    if canonical_bytes(parsed) != value:
        raise NotCanonical("not the canonical form of its value")
    return parsed


def parse_json(text: str) -> object:
    """Any JSON text with its numbers as ECMAScript reads them: so PostgreSQL's jsonb, which writes 1e+21 in full, gives
    back the value that was put in. Raises ValueError; takes NaN and infinities, which have no canonical form.
    """
    parsed: object = _ECMASCRIPT.decode(text)
    return parsed


def _integer(literal: str) -> float:
    """An integer literal as ECMAScript reads it: a double, which for safe integers an int stands for."""
    if len(literal) > 17:  # certainly unsafe; also spares int() a literal of a million digits
        return float(literal)
    number = int(literal)
    return number if abs(number) <= MAX_SAFE_INTEGER else float(number)


_ECMASCRIPT: Final = json.JSONDecoder(parse_int=_integer)


def _is_too_deep(value: bytes) -> bool:
    if value.count(b"[") + value.count(b"{") <= MAX_DEPTH:
        return False
    depth = 0
    for found in _BRACKET_OR_STRING.finditer(value):
        depth += _STEP.get(found.group(), 0)
        if depth > MAX_DEPTH:
            return True
    return False


def _is_plain(value: object) -> bool:
    """Says whether orjson's sorted output is certainly the JCS of the value. Looks at every node once."""
    stack: list[Any] = [value]
    while stack:
        node = stack.pop()
        kind = type(node)
        if kind is str or node is None or kind is bool:
            continue
        if kind is dict:
            if not all(type(key) is str and (key.isascii() or max(key) < _FIRST_KEY_OUT_OF_ORDER) for key in node):
                return False
            stack.extend(node.values())
        elif kind is list:
            stack.extend(node)
        elif not _is_plain_number(node):
            return False
    return True


def _is_plain_number(node: object) -> bool:
    if type(node) is int:
        return -MAX_SAFE_INTEGER <= node <= MAX_SAFE_INTEGER
    if type(node) is float:
        return _SMALLEST_PLAIN <= abs(node) < _BEYOND_PLAIN and not node.is_integer()
    return False
