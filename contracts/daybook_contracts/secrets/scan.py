"""Finds secrets in commands, and takes them out of dead letters and stats. The input is JSON as parsed, strictly or
loosely. Answers name the path of a secret, never the secret.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate
from typing import Any, Final

from daybook_contracts.json.strict import members, parse_loosely
from daybook_contracts.secrets.names import STEM, is_secret_name, may_hold_secret_name
from daybook_contracts.secrets.redaction import all_redacted, first_secret, holds_secret
from daybook_contracts.secrets.references import is_secret_id_ref

HOTTOK: Final = "hottok"
_MOST_IN_STATS: Final = 5_000
_MOST_IN_NAMES: Final = 64 * 1024  # characters of different names that may be secret; to check more would take long

Path = tuple[str | int, ...]
# The link of the parent, and the last step of a path. To build a path for each value would take time for its depth.
_Link = tuple[Any, str | int]

# Members whose keys tell nothing: `config.secrets` maps purposes such as `access_token` to names of references, and the
# keys of a payload are its source's.
_SECRETS: Final = frozenset({"secrets"})
_FREE: Final = frozenset({"secrets", "payload"})

# For texts that are not JSON. Nothing here looks far ahead, because such a text may be long and made to be slow.
_ESCAPE: Final = re.compile(r"\\(?:u([0-9a-fA-F]{4})|([/nrt]))")
_SEPARATORS: Final = str.maketrans("", "", "-_.")
_SECRET_NAME: Final = re.compile(
    rf"{HOTTOK}|(?:password|passwd|pwd|passphrase|senha|secret|token|basic|bearer|authorization|auth|credentials?"
    r"|signature|sig|cookie|apikey|privatekey|accesskey|accountkey)[0-9]{0,2}\W{0,4}[:=]"
)


def find_secret(envelope: Any) -> Path | None:
    """The path of the first secret in `data.config` or `data.secret_id_ref`, for any type of command."""
    for member, data in members(envelope):
        if member == "data":
            for field, value in members(data):
                if field in {"config", "secret_id_ref"}:
                    found = _scan(value, free=_SECRETS, at_any_depth=False)
                    if found is not None:
                        return "data", field, *found
    return None


def _scan(value: Any, *, free: frozenset[str], at_any_depth: bool) -> Path | None:
    """The path of a secret in the value. Keys inside the `free` members tell nothing: at the top of the value, or
    `at_any_depth`.
    """
    texts = _texts(value)
    # One search for all texts, because a search for each of them would have too much overhead.
    joined = "\0".join(texts)
    place = first_secret(joined)
    if place is None and not may_hold_secret_name(joined):
        return None
    links, under_name = _links(value, free=free, at_any_depth=at_any_depth)
    if under_name is not None:
        return _path(under_name)
    if place is None:
        return None
    starts = list(accumulate((len(text) + 1 for text in texts), initial=0))
    return _path(links[bisect_right(starts, place) - 1])


def _texts(value: Any) -> list[str]:
    """The keys and strings of the value, in the order of `_links`."""
    texts: list[str] = []
    # A stack instead of recursion: a loosely parsed text may be nested deeper than Python recurses.
    stack = [value]
    while stack:
        node = stack.pop()
        if isinstance(node, str):
            texts.append(node)
        elif type(node) is list:  # Members, an object, is a list too
            stack += node
        else:
            for key, inner in members(node):
                texts.append(key)
                stack.append(inner)
    return texts


def _links(value: Any, *, free: frozenset[str], at_any_depth: bool) -> tuple[list[_Link | None], _Link | None]:
    """The links of all keys and strings. Ends at the first string under the name of a secret, with its link."""
    links: list[_Link | None] = []
    names = _Names()
    # Each value, with its link, whether its key is the name of a secret, and whether keys inside it tell.
    stack: list[tuple[Any, _Link | None, bool, bool]] = [(value, None, False, True)]
    while stack:
        node, link, named, keys_tell = stack.pop()
        if isinstance(node, str):
            if named and node:
                return links, link
            links.append(link)
        elif type(node) is list:
            stack += [(inner, (link, at), named, keys_tell) for at, inner in enumerate(node)]
        else:
            for key, inner in members(node):
                below = (link, key)
                links.append(below)
                tell = keys_tell and (key not in free or not (at_any_depth or link is None))
                named = tell and type(inner) in {str, list} and names.are_secret(key)
                stack.append((inner, below, named, tell))
    return links, None


class _Names:
    """Checks each name once, because the objects of a list have the same names. Beyond the limit, a name that may be
    secret counts as secret.
    """

    def __init__(self) -> None:
        self._known: dict[str, bool] = {}
        self._left = _MOST_IN_NAMES

    def are_secret(self, name: str) -> bool:
        known = self._known.get(name)
        if known is None:
            known = self._known[name] = self._is_secret(name)
        return known

    def _is_secret(self, name: str) -> bool:
        if STEM.search(name.lower()) is None:
            return False
        self._left -= len(name)
        return self._left < 0 or is_secret_name(name)


def _path(link: _Link | None) -> Path:
    steps: list[str | int] = []
    while link:
        link, step = link
        steps.append(step)
    return tuple(reversed(steps))


def without_hottok(payload: Any) -> Any:
    """A copy of the payload without members named `hottok`, in any case, at any depth."""
    match payload:
        case dict():
            return {key: without_hottok(value) for key, value in payload.items() if key.lower() != HOTTOK}
        case list():
            return [without_hottok(value) for value in payload]
        case _:
            return payload


def without_secrets(stats: dict[str, Any]) -> dict[str, Any]:
    """A copy with `[redacted]` for each secret in its strings and keys. Raises ValueError if two keys become equal, or
    if there are more secrets than fit into stats of the allowed size.
    """
    texts = list(_in_order(stats))
    shown = all_redacted(texts, _MOST_IN_STATS)
    if shown is None:
        raise ValueError(f"must not hold more than {_MOST_IN_STATS} secrets")
    if shown == texts:
        return stats
    copy: dict[str, Any] = _rebuilt(stats, iter(shown))
    return copy


def _in_order(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for key, inner in value.items():
                yield key
                yield from _in_order(inner)
        case list():
            for inner in value:
                yield from _in_order(inner)
        case _:
            pass


def _rebuilt(value: Any, texts: Iterator[str]) -> Any:
    """The value with these strings in place of its own, in the order of `_in_order`."""
    match value:
        case str():
            return next(texts)
        case dict():
            copy = {next(texts): _rebuilt(inner, texts) for inner in value.values()}
            if len(copy) < len(value):
                raise ValueError("must not have keys that differ in a secret only")
            return copy
        case list():
            return [_rebuilt(inner, texts) for inner in value]
        case _:
            return value


def carries_secret(raw: bytes) -> bool:
    """Whether a text that was refused for another reason holds a secret anywhere: a member named `hottok`, a
    `secret_id_ref` that is no reference, or anything that looks like a secret. A text that is not JSON is searched for
    names of secrets too, because a false alarm is better than a leaked secret.
    """
    value = parse_loosely(raw)
    return _text_has_secret(raw) if value is None else _value_has_secret(value)


def _value_has_secret(value: Any) -> bool:
    return _scan(value, free=_FREE, at_any_depth=True) is not None or any(
        key.lower() == HOTTOK or _is_no_reference(key, inner) for key, inner in _all_members(value)
    )


def _all_members(value: Any) -> Iterator[tuple[str, Any]]:
    stack = [value]
    while stack:
        node = stack.pop()
        if type(node) is list:
            stack += node
        for key, inner in members(node):
            yield key, inner
            stack.append(inner)


def _is_no_reference(key: str, value: Any) -> bool:
    return key == "secret_id_ref" and not (isinstance(value, str) and is_secret_id_ref(value))


def _text_has_secret(raw: bytes) -> bool:
    text = raw.replace(b"\0", b"").decode("utf-8", "replace")  # without NULs, UTF-16 can be read too
    text = _ESCAPE.sub(_unescaped, text)
    return holds_secret(text) or bool(_SECRET_NAME.search(text.lower().translate(_SEPARATORS)))


def _unescaped(escape: re.Match[str]) -> str:
    return chr(int(escape[1], 16)) if escape[1] else "/" if escape[2] == "/" else " "
