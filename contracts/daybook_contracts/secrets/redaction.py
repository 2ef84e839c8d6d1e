"""Credentials in a text: finds them, and replaces them with `[redacted]`."""

import re
from collections.abc import Iterator, Sequence
from itertools import accumulate, islice
from typing import Final

from daybook_contracts.secrets.names import STEM, is_secret_name, may_hold_secret_name
from daybook_contracts.secrets.patterns import NOT_MASKED, PATTERNS, Pattern

REDACTED: Final = "[redacted]"

_BARRIER: Final = "\0" * len(REDACTED)  # no pattern matches across it
_MOST_SECRETS: Final = 1_000  # a text with more secrets is replaced as a whole
# After a redaction the rest may look like a secret again. A text that still changes in the last pass is replaced whole.
_MOST_PASSES: Final = 4
_LONGEST: Final = 64 * 1024  # characters; a longer text with a secret is replaced as a whole, after one search
# Limits on the names in one text that are checked word by word: different names, names that may be secret, and the
# characters of the latter. To check more would take long.
_MOST_NAMES: Final = 5_000
_MOST_JUDGED: Final = 1_000
_MOST_CHARACTERS: Final = 20_000
_PARAMETER: Final = re.compile(NOT_MASKED + r"[^&#;\s\"'<>\0]+")

# Most texts have few of these marks, so few hints have to be searched for. The empty mark is in every text.
_MARKS: Final = "_-.:="


def _mark(pattern: Pattern) -> str:
    return next((mark for mark in _MARKS if mark in pattern.hint), "")


_BY_MARK: Final = [
    (mark, [(pattern.hint, pattern) for pattern in PATTERNS if _mark(pattern) == mark]) for mark in ("", *_MARKS)
]


def first_secret(text: str) -> int | None:
    """The index at which the first secret in the text starts."""
    guarded = _guarded(text)
    starts = (next((start for start, _ in spans_of(pattern, guarded)), None) for pattern in _candidates(guarded))
    return min((start for start in starts if start is not None), default=None)


def holds_secret(text: str) -> bool:
    return first_secret(text) is not None


def redacted(text: str) -> str:
    """The text with `[redacted]` for each secret. The result holds no secret, so redacting it again changes nothing."""
    if len(text) > _LONGEST:
        return REDACTED if holds_secret(text) else text
    settled = _settled(text, _MOST_SECRETS)
    return REDACTED if settled is None else settled


def all_redacted(texts: Sequence[str], most: int) -> list[str] | None:
    """The texts, redacted together. None if they hold more than `most` secrets. No text may contain a NUL."""
    settled = _settled("\0".join(texts), most)
    return None if settled is None else settled.split("\0")


def _settled(text: str, most: int) -> str | None:
    """The text without its secrets; None if it holds more than `most`, or still changes in the last pass."""
    for _ in range(_MOST_PASSES):
        guarded = _guarded(text)
        spans = [span for pattern in _candidates(guarded) for span in islice(spans_of(pattern, guarded), most + 1)]
        if not spans:
            return text
        if len(spans) > most:
            return None
        text = _without(text, sorted(spans))
    return None


def _guarded(text: str) -> str:
    """The text with barriers of the same length for what is redacted, so that no pattern matches there."""
    return text.replace(REDACTED, _BARRIER)


def _candidates(text: str) -> list[Pattern]:
    low = text.lower()
    return [pattern for mark, rows in _BY_MARK if mark in low for hint, pattern in rows if hint in low]


def _without(text: str, spans: Sequence[tuple[int, int]]) -> str:
    """The text with `[redacted]` for each span. Spans that overlap count as one."""
    parts: list[str] = []
    kept_to = 0
    for start, end in spans:
        if start >= kept_to:
            parts += (text[kept_to:start], REDACTED)
        kept_to = max(kept_to, end)
    return "".join([*parts, text[kept_to:]])


def spans_of(pattern: Pattern, text: str) -> Iterator[tuple[int, int]]:
    """The places of the pattern's secrets in the text, in order. The caller checks the hint first."""
    if pattern.named:
        yield from _spans_of_named(pattern.expression, text)
        return
    group = "secret" if "secret" in pattern.expression.groupindex else 0
    for found in pattern.expression.finditer(text):
        yield found.span(group)


def _spans_of_named(expression: re.Pattern[str], text: str) -> Iterator[tuple[int, int]]:
    # The parts are in turn the text before a name, and a name. A loop over all matches would take three times as long.
    parts = expression.split(text)
    names = parts[1::2]
    secret = _secret_names(list(dict.fromkeys(names)))
    if not secret:
        return
    ends = list(accumulate(map(len, parts)))[1::2]
    read_to = 0
    for number, name in enumerate(names, 1):
        if name in secret:
            at = ends[number - 1] + 2 * number  # no part has the two characters around a name
            # A name inside the previous value belongs to that value.
            if at >= read_to and (value := _PARAMETER.match(text, at)):
                read_to = value.end()
                yield value.span()


def _secret_names(names: Sequence[str]) -> set[str]:
    """Those of the names that are secret. A name beyond the limits counts as secret if it may be one."""
    possible = [name for name in names[:_MOST_NAMES] if STEM.search(name.lower())]
    lengths = accumulate(map(len, possible))
    judged = min(_MOST_JUDGED, sum(length <= _MOST_CHARACTERS for length in lengths))
    secret = {name for name in possible[:judged] if is_secret_name(name)}
    secret.update(possible[judged:])
    rest = names[_MOST_NAMES:]
    if may_hold_secret_name("\0".join(rest)):
        secret.update(rest)
    return secret
