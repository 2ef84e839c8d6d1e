"""Bytes in, a JSON value out that JCS, PostgreSQL and every other reader take the same way, or NotStrictJson.

Refused though JSON libraries take it: NUL, lone surrogates, NaN, infinity, duplicate keys, depth over 32,
numbers that a double does not hold exactly as integers. `1.0` becomes `1`, and `-0.0` becomes `0`, as JCS has them.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

import orjson

from daybook_contracts.json.counts import has_members, has_more_values
from daybook_contracts.limits import DEPTH, ENVELOPE_BYTES, ENVELOPE_VALUES, INTEGER

_STRING: Final = re.compile(rb'"([^"\\]*+(?:\\.[^"\\]*+)*+)"([ \t\r\n]*+:)?', re.DOTALL)


class NotStrictJson(ValueError):
    """`path` leads to the fault, as keys and indexes from the top; `value` is what could be read all the same."""

    def __init__(self, reason: str, path: tuple[str | int, ...] = (), value: Any = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.path = path
        self.value = value


class Members(list[tuple[str, Any]]):
    """An object's members as they stood in the text, duplicates included."""


def parse_json(raw: bytes) -> Any:
    """The one value that the text stands for; raises NotStrictJson. Each text is parsed once, whatever is wrong."""
    if has_more_values(raw, ENVELOPE_VALUES):
        raise NotStrictJson(f"more than {ENVELOPE_VALUES:,} JSON values")
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise NotStrictJson(f"not JSON: {error.msg}") from error
    top = [value]
    try:
        # No `\u0000` in the text, no NUL in any string: then the strings need no look.
        members = _check_inside(top, 0, nul=b"\\u0000" in raw)
    except NotStrictJson as fault:
        fault.path, fault.value = fault.path[1:], value
        raise
    # The parser keeps one member of each name, so a name given twice is in the text only.
    if not has_members(raw, members):
        raise _given_twice(raw, value)
    return top[0]


def parse_loosely(raw: bytes) -> Any:
    """Whatever can be read of a refused text, objects as Members; None where nothing can, or where it is too much."""
    if len(raw) > ENVELOPE_BYTES or has_more_values(raw, ENVELOPE_VALUES):
        return None
    try:
        return json.loads(raw.decode("utf-8-sig", "replace"), object_pairs_hook=Members, parse_int=float)
    except (ValueError, RecursionError):
        return None


def members(value: Any) -> Iterator[tuple[str, Any]]:
    """An object's members, of either reading; none of anything else."""
    match value:
        case dict():
            yield from value.items()
        case Members():
            yield from value
        case _:
            return


def _check_inside(container: dict[str, Any] | list[Any], depth: int, *, nul: bool) -> int:
    """Checks what an object or array holds, puts whole floats right in place, and counts the members of objects."""
    if depth > DEPTH:
        raise NotStrictJson(f"nested deeper than {DEPTH}")
    inside: Any = container
    is_object = type(inside) is dict
    found = len(inside) if is_object else 0
    key: str | int = ""
    try:
        for key, value in inside.items() if is_object else enumerate(inside):
            if nul and isinstance(key, str):
                _refuse_nul(key)
            kind = type(value)
            if kind is str:
                if nul:
                    _refuse_nul(value)
            elif kind is dict or kind is list:
                found += _check_inside(value, depth + 1, nul=nul)
            elif kind is int:
                _refuse_unsafe(value)
            elif kind is float and value.is_integer():
                _refuse_unsafe(value)
                inside[key] = int(value)
    except NotStrictJson as fault:
        fault.path = (key, *fault.path)
        raise
    return found


def _refuse_nul(text: str) -> None:
    if "\0" in text:
        raise NotStrictJson("NUL in a string")


def _refuse_unsafe(number: float) -> None:
    if not -INTEGER <= number <= INTEGER:
        raise NotStrictJson("an integer beyond 2^53-1")


def _given_twice(raw: bytes, value: Any) -> NotStrictJson:
    """Names the key if it can be only one; an `id` that may be given twice is no id."""
    written = Counter(orjson.loads(b'"%b"' % name) for name, colon in _STRING.findall(raw) if colon)
    surplus = written - Counter(_names(value))
    readable = {name: member for name, member in members(value) if name != "id" or "id" not in surplus}
    return NotStrictJson("a key given twice", tuple(surplus) if len(surplus) == 1 else (), readable)


def _names(value: Any) -> Iterator[str]:
    stack = [value]
    while stack:
        node = stack.pop()
        if type(node) is dict:
            yield from node
            stack += node.values()
        elif type(node) is list:
            stack += node
