"""Bytes in, a JSON value out that JCS, PostgreSQL and every other reader take the same way, or NotStrictJson.

Refused though JSON libraries take it: NUL, lone surrogates, NaN, infinity, duplicate keys, depth over 32,
numbers that a double does not hold exactly as integers. `1.0` becomes `1`, and `-0.0` becomes `0`, as JCS has them.
"""

import json
from collections.abc import Iterator
from typing import Any

import orjson

from daybook_contracts.limits import DEPTH, INTEGER


class NotStrictJson(ValueError):
    """`path` leads to the fault, as keys and indexes from the top."""

    def __init__(self, reason: str, path: tuple[str | int, ...] = ()) -> None:
        super().__init__(reason)
        self.reason = reason
        self.path = path


class Members(list[tuple[str, Any]]):
    """An object's members as they stood in the text, duplicates included."""


def parse_json(raw: bytes) -> Any:
    """The one value that the text stands for; raises NotStrictJson."""
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise NotStrictJson(f"not JSON: {error.msg}") from error
    # No `\u0000` in the text, no NUL in any string: then the strings need no look.
    value = _checked(value, 1, nul=b"\\u0000" in raw)
    # A text equal to its value's own has no second key; others are read again, slowly.
    if orjson.dumps(value) != raw:
        _refuse_duplicates(raw)
    return value


def parse_loosely(raw: bytes) -> Any:
    """Whatever can be read of a refused text, objects as Members; None where nothing can."""
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


def _checked(value: Any, depth: int, *, nul: bool) -> Any:
    match value:
        case str():
            if nul and "\0" in value:
                raise NotStrictJson("NUL in a string")
        case bool() | None:
            pass
        case int():
            if not -INTEGER <= value <= INTEGER:
                raise NotStrictJson("an integer beyond 2^53-1")
        case float():
            return _whole(value)
        case _:
            if depth > DEPTH:
                raise NotStrictJson(f"nested deeper than {DEPTH}")
            _check_inside(value, depth, nul=nul)
    return value


def _check_inside(container: dict[str, Any] | list[Any], depth: int, *, nul: bool) -> None:
    """Checks what an object or array holds, and puts whole floats right in place."""
    key: str | int = ""
    try:
        for key, value in container.items() if isinstance(container, dict) else enumerate(container):
            if nul:
                _checked(key, depth, nul=True)
            checked = _checked(value, depth + 1, nul=nul)
            if checked is not value:
                container[key] = checked  # type: ignore[index] # key is the container's own
    except NotStrictJson as error:
        error.path = (key, *error.path)
        raise


def _whole(number: float) -> float:
    if not number.is_integer():
        return number
    if not -INTEGER <= number <= INTEGER:
        raise NotStrictJson("an integer beyond 2^53-1")
    return int(number)


def _refuse_duplicates(raw: bytes) -> None:
    json.loads(raw, object_pairs_hook=_unique, parse_int=str, parse_float=str)


def _unique(pairs: list[tuple[str, Any]]) -> None:
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            raise NotStrictJson("a key given twice", (key,))
        seen.add(key)
