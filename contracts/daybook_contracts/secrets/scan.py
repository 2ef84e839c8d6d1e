"""Finds secrets in commands, and removes them from dead letters and stats. The input is JSON from `parse_strictly` or
`parse_loosely`. The functions return the path of a secret, never the secret.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate
from typing import Any, Final

from daybook_contracts.json.strict import members, parse_loosely
from daybook_contracts.secrets.names import STEM, is_secret_name, may_hold_secret_name
from daybook_contracts.secrets.redaction import all_redacted, contains_secret, first_secret
from daybook_contracts.secrets.references import is_secret_id_ref

HOTTOK: Final = "hottok"
_MOST_IN_STATS: Final = 5_000
_MOST_IN_NAMES: Final = 64 * 1024  # characters of different names that may be secret; more would take too long to check

Path = tuple[str | int, ...]
# The link of the parent, and the last step of a path. Building the whole path of each value would take longer.
_Link = tuple[Any, str | int]

_SCANNED_FIELDS: Final = frozenset({"config", "secret_id_ref"})
# Members inside which keys are not checked: `config.secrets` maps purposes such as `access_token` to names of
# references, and the source of a payload chooses its keys.
_UNCHECKED_IN_CONFIG: Final = frozenset({"secrets"})
_UNCHECKED_ANYWHERE: Final = frozenset({"secrets", "payload"})

# For texts that are not JSON. These expressions look ahead only a little, because a sender may send a long text in
# order to make them slow.
_ESCAPE: Final = re.compile(r"\\(?:u([0-9a-fA-F]{4})|([/nrt]))")
_SEPARATORS: Final = str.maketrans("", "", "-_.")
_SECRET_NAME: Final = re.compile(
    rf"{HOTTOK}|(?:password|passwd|pwd|passphrase|senha|secret|token|basic|bearer|authorization|auth|credentials?"
    r"|signature|sig|cookie|apikey|privatekey|accesskey|accountkey)[0-9]{0,2}\W{0,4}[:=]"
)


def find_secret(envelope: Any) -> Path | None:
    """The path of the first secret in `data.config` or `data.secret_id_ref`, whatever the type of the command. The
    envelope is a value of `parse_strictly`.
    """
    data = envelope.get("data") if type(envelope) is dict else None
    if type(data) is not dict:
        return None
    for field, value in data.items():
        if field in _SCANNED_FIELDS:
            found = _scan(value, unchecked=_UNCHECKED_IN_CONFIG, at_any_depth=False)
            if found is not None:
                return "data", field, *found
    return None


def _scan(value: Any, *, unchecked: frozenset[str], at_any_depth: bool) -> Path | None:
    """The path of a secret in the value. Does not check keys inside members whose names are in `unchecked`: members
    of the value itself or, with `at_any_depth`, at any depth.
    """
    texts = _texts(value)
    # One search for all texts, because a search for each text would have too much overhead.
    joined = "\0".join(texts)
    place = first_secret(joined)
    if place is None and not may_hold_secret_name(joined):
        return None
    links, under_name = _links(value, unchecked=unchecked, at_any_depth=at_any_depth)
    if under_name is not None:
        return _path(under_name)
    if place is None:
        return None
    starts = list(accumulate((len(text) + 1 for text in texts), initial=0))
    return _path(links[bisect_right(starts, place) - 1])


def _texts(value: Any) -> list[str]:
    """The keys and strings of the value, in the order of `_links`."""
    texts: list[str] = []
    # A stack instead of recursion: a loosely parsed text may be nested deeper than Python's recursion limit.
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


def _links(value: Any, *, unchecked: frozenset[str], at_any_depth: bool) -> tuple[list[_Link | None], _Link | None]:
    """The links of all keys and strings, with None as the second value. If a string is the value of a secret name,
    stops there; then the second value is the link of that string.
    """
    links: list[_Link | None] = []
    names = _SecretNames()
    # Each value, with its link, whether its key is the name of a secret, and whether the keys inside it are checked.
    stack: list[tuple[Any, _Link | None, bool, bool]] = [(value, None, False, True)]
    while stack:
        node, link, has_secret_name, check_keys = stack.pop()
        if isinstance(node, str):
            if has_secret_name and node:
                return links, link
            links.append(link)
        elif type(node) is list:
            stack += [(inner, (link, at), has_secret_name, check_keys) for at, inner in enumerate(node)]
        else:
            for key, inner in members(node):
                below = (link, key)
                links.append(below)
                check = check_keys and (key not in unchecked or not (at_any_depth or link is None))
                is_secret = check and _holds_text(inner) and key in names
                stack.append((inner, below, is_secret, check))
    return links, None


def _holds_text(value: Any) -> bool:
    """Whether the value is a text, or a list that holds one, perhaps in lists inside it."""
    values = [value]
    for each in values:  # the loop adds to this list
        if type(each) is list:
            values += each
    return any(type(each) is str and each for each in values)


class _SecretNames:
    """The names whose values are secrets. Checks each name once, because objects of a list often share names.
    Beyond the limit, a name that may be secret counts as secret. Only names whose values hold text are looked up, so a
    config that exceeds the limit is refused whatever the order of its members.
    """

    def __init__(self) -> None:
        self._known: dict[str, bool] = {}
        self._left = _MOST_IN_NAMES

    def __contains__(self, name: str) -> bool:
        if name not in self._known:
            self._known[name] = self._is_secret(name)
        return self._known[name]

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
    """A copy with `[redacted]` in place of each secret in its strings and keys. Raises ValueError if two keys become
    equal, or if there are more secrets than fit into stats of the allowed size.
    """
    texts = list(_keys_and_strings(stats))
    cleaned = all_redacted(texts, _MOST_IN_STATS)
    if cleaned is None:
        raise ValueError(f"must not hold more than {_MOST_IN_STATS} secrets")
    if cleaned == texts:
        return stats
    copy: dict[str, Any] = _with_texts(stats, iter(cleaned))
    return copy


def _keys_and_strings(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for key, inner in value.items():
                yield key
                yield from _keys_and_strings(inner)
        case list():
            for inner in value:
                yield from _keys_and_strings(inner)
        case _:
            pass


def _with_texts(value: Any, texts: Iterator[str]) -> Any:
    """The value with its keys and strings replaced by `texts`, in the order of `_keys_and_strings`."""
    match value:
        case str():
            return next(texts)
        case dict():
            copy = {next(texts): _with_texts(inner, texts) for inner in value.values()}
            if len(copy) < len(value):
                raise ValueError("must not have keys that differ only in a secret")
            return copy
        case list():
            return [_with_texts(inner, texts) for inner in value]
        case _:
            return value


def carries_secret(raw: bytes) -> bool:
    """Whether a text that was refused for another reason contains a secret: a member named `hottok`, a `secret_id_ref`
    that is not a reference, or anything that looks like a secret. If the text is not JSON, the name of a secret counts
    too, because a false alarm is better than a leaked secret.
    """
    value = parse_loosely(raw)
    return _text_has_secret(raw) if value is None else _value_has_secret(value)


def _value_has_secret(value: Any) -> bool:
    return _scan(value, unchecked=_UNCHECKED_ANYWHERE, at_any_depth=True) is not None or any(
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
    text = raw.replace(b"\0", b"").decode("utf-8", "replace")  # makes ASCII in UTF-16 readable
    text = _ESCAPE.sub(_unescaped, text)
    return contains_secret(text) or bool(_SECRET_NAME.search(text.lower().translate(_SEPARATORS)))


def _unescaped(escape: re.Match[str]) -> str:
    return chr(int(escape[1], 16)) if escape[1] else "/" if escape[2] == "/" else " "
