"""Finds secrets where only references belong, and takes `hottok` out of dead letters. Says where, never what.

Enters: a command as parsed, strictly or loosely. Leaves: the path of the first secret, or a payload without `hottok`.
"""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from daybook_contracts.secret_id_ref import is_secret_id_ref
from daybook_contracts.strict_json import members, parse_loosely

_SECRET_KEYS = frozenset(
    {
        "password",
        "passwd",
        "secret",
        "clientsecret",
        "appsecret",
        "token",
        "accesstoken",
        "refreshtoken",
        "apikey",
        "privatekey",
        "hottok",
        "basic",
        "authorization",
        "credentials",
    }
)
_SECRET_TEXT = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY"
    r"|^eyJ[\w-]+\.[\w-]+\.[\w-]*$"
    r"|^(Bearer|Basic) \S+"
    r"|^EAA[A-Za-z0-9]{30,}$"
    r"|^AKIA[0-9A-Z]{16}$"
    r"|^(sk|rk)_live_"
    r"|^gh[pousr]_"
)
HOTTOK = "hottok"

# For texts that are not JSON. Nothing here looks far ahead: such a text may be long, and written to be slow.
_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")
_SECRET_NAME = re.compile(rf"{HOTTOK}|(?:{'|'.join(sorted(_SECRET_KEYS))})\W{{0,4}}[:=]")
_SECRET_WORD = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY"
    r"|\beyJ[\w-]{4}"
    r"|\b(Bearer|Basic) \S"
    r"|\bEAA[A-Za-z0-9]{30}"
    r"|\bAKIA[0-9A-Z]{16}"
    r"|\b(sk|rk)_live_"
    r"|\bgh[pousr]_"
)
# What these hold has keys of its own: purposes of secrets, a source's events.
_FREE = frozenset({"secrets", "payload"})
_HIDDEN = "***"  # a key that is itself a secret

Path = tuple[str | int, ...]


class _Place(NamedTuple):
    """A value and the way to it, linked upwards: a path of its own for each value would cost its depth."""

    above: "_Place | None"
    step: str | int
    value: Any
    keys_tell: bool  # not in `config.secrets`, which maps purposes such as `access_token` to names of references

    def path(self) -> Path:
        steps, place = [], self
        while place.above:
            steps.append(place.step)
            place = place.above
        return (place.step, *reversed(steps))


def find_secret(envelope: Any) -> Path | None:
    """The path of the first secret in `data.config` or `data.secret_id_ref`, whatever the command's type."""
    for member, data in members(envelope):
        if member == "data":
            for field, value in members(data):
                if field in {"config", "secret_id_ref"} and (found := _scan(field, value)):
                    return "data", *found
    return None


def _scan(field: str, value: Any) -> Path | None:
    # A stack of its own: a loosely read text may be nested deeper than Python recurses.
    top = _Place(None, field, value, keys_tell=True)
    stack = [top]
    while stack:
        place = stack.pop()
        if isinstance(place.value, str) and _SECRET_TEXT.search(place.value):
            return place.path()
        if key := _secret_key(place):
            return (*place.path(), key)
        inside = [
            _Place(place, key, inner, place.keys_tell and (place is not top or key != "secrets"))
            for key, inner in _inside(place.value)
            if isinstance(inner, str | list | dict)
        ]
        stack.extend(reversed(inside))
    return None


def _secret_key(place: _Place) -> str | None:
    for key, value in members(place.value):
        if _SECRET_TEXT.search(key):
            return _HIDDEN
        if place.keys_tell and _is_secret(key, value):
            return key
    return None


def _is_secret(key: str, value: Any) -> bool:
    return isinstance(value, str) and bool(value) and _plain(key) in _SECRET_KEYS


def _plain(key: str) -> str:
    return key.lower().replace("-", "").replace("_", "")


def _inside(node: Any) -> Iterator[tuple[str | int, Any]]:
    yield from members(node)
    if type(node) is list:  # Members are a list too, but an object
        yield from enumerate(node)


def without_hottok(payload: Any) -> Any:
    """A copy of the payload without members named `hottok`, in any case, at any depth."""
    match payload:
        case dict():
            return {key: without_hottok(value) for key, value in payload.items() if key.lower() != HOTTOK}
        case list():
            return [without_hottok(value) for value in payload]
        case _:
            return payload


def carries_secret(raw: bytes) -> bool:
    """Whether a text that was refused for something else would carry a secret on, wherever in it: a member named
    `hottok`, a `secret_id_ref` that is no reference, whatever looks like a secret. Of what is not JSON only the words
    tell: one too many is better than one too few.
    """
    value = parse_loosely(raw)
    return _words_tell(raw) if value is None else _members_tell(value)


def _members_tell(value: Any) -> bool:
    stack: list[tuple[Any, bool]] = [(value, True)]
    while stack:
        node, keys_tell = stack.pop()
        if isinstance(node, str) and _SECRET_TEXT.search(node):
            return True
        for key, inner in members(node):
            if key.lower() == HOTTOK or _is_no_reference(key, inner) or (keys_tell and _is_secret(key, inner)):
                return True
        stack += [(inner, keys_tell and key not in _FREE) for key, inner in _inside(node)]
    return False


def _is_no_reference(key: str, value: Any) -> bool:
    return key == "secret_id_ref" and not (isinstance(value, str) and is_secret_id_ref(value))


def _words_tell(raw: bytes) -> bool:
    text = raw.replace(b"\0", b"").decode("utf-8", "replace")  # without NULs even UTF-16 can be read
    text = _ESCAPE.sub(lambda escape: chr(int(escape[1], 16)), text)
    return bool(_SECRET_WORD.search(text) or _SECRET_NAME.search(_plain(text)))
