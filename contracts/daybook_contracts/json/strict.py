"""Parses bytes into a JSON value that JCS, PostgreSQL and every other reader understand alike, or raises NotStrictJson.

Refuses some things that JSON libraries may accept: NUL, lone surrogates, NaN, infinity, duplicate keys, more than 32
levels, and integers beyond 2^53-1. `1.0` becomes `1` and `-0.0` becomes `0`, as in JCS.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

import orjson

from daybook_contracts.json.counts import has_members, has_more_values
from daybook_contracts.limits import ADDED_VALUES, DEPTH, ENVELOPE_BYTES, ENVELOPE_VALUES, MAX_SAFE_INTEGER

_STRING: Final = re.compile(rb'"([^"\\]*+(?:\\.[^"\\]*+)*+)"([ \t\r\n]*+:)?', re.DOTALL)


class NotStrictJson(ValueError):
    """`path`: keys and indexes from the top to the fault. `value`: the part of the text that could be read, or None."""

    def __init__(self, reason: str, path: tuple[str | int, ...] = (), value: Any = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.path = path
        self.value = value


class Members(list[tuple[str, Any]]):
    """An object's members as in the text, duplicates included."""


def parse_strictly(raw: bytes, *, extra_values: int = 0) -> Any:
    """The value of the text. Raises NotStrictJson. Parses the text only once, even if it has a fault. `extra_values`:
    how many values it may have beyond the limit.
    """
    if has_more_values(raw, ENVELOPE_VALUES + extra_values):
        raise NotStrictJson(f"more than {ENVELOPE_VALUES:,} JSON values")
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise NotStrictJson(f"not JSON: {error.msg}") from error
    top = [value]
    try:
        # A string can contain a NUL only if the text contains `\u0000`; otherwise the strings need no check.
        members = _check_inside(top, 0, nul=b"\\u0000" in raw)
    except NotStrictJson as fault:
        fault.path, fault.value = fault.path[1:], value
        raise
    # The parser keeps only one member of each name, so the value does not show a name that is given twice.
    if not has_members(raw, members):
        raise _duplicate_key(raw, value)
    return top[0]


def parse_loosely(raw: bytes) -> Any:
    """The value of a refused text, read as leniently as possible, with objects as Members. None if the text cannot be
    read or is too large.
    """
    if len(raw) > ENVELOPE_BYTES or has_more_values(raw, ENVELOPE_VALUES + ADDED_VALUES):
        return None
    try:
        return json.loads(raw.decode("utf-8-sig", "replace"), object_pairs_hook=Members, parse_int=float)
    except (ValueError, RecursionError):
        return None


def members(value: Any) -> Iterator[tuple[str, Any]]:
    """The members of an object that `parse_strictly` or `parse_loosely` returned. Yields none for any other value."""
    match value:
        case dict():
            yield from value.items()
        case Members():
            yield from value
        case _:
            return


def _check_inside(container: dict[str, Any] | list[Any], depth: int, *, nul: bool) -> int:
    """Checks what is in an object or array, turns whole floats into integers, and counts the members of objects."""
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
    if not -MAX_SAFE_INTEGER <= number <= MAX_SAFE_INTEGER:
        raise NotStrictJson("an integer beyond 2^53-1")


def _duplicate_key(raw: bytes, value: Any) -> NotStrictJson:
    """The error for a key given twice. Its `path` names the key if there is only one; its `value` has no `id` if `id`
    may be given twice.
    """
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
