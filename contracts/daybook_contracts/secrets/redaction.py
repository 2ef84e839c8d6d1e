"""Finds credentials in a text and replaces them with `[redacted]`."""

import re
from collections.abc import Iterator, Sequence
from itertools import accumulate, islice
from typing import Final

from daybook_contracts.secrets.names import STEM, is_secret_name, may_hold_secret_name
from daybook_contracts.secrets.patterns import NOT_MASKED, PATTERNS, Pattern

REDACTED: Final = "[redacted]"

_BARRIER: Final = "\0" * len(REDACTED)  # no pattern matches across it
_MOST_SECRETS: Final = 1_000  # a text with more secrets is replaced as a whole
# After a redaction the rest may look like a secret again. A text that still has secrets after the last pass is replaced
# as a whole.
_MOST_PASSES: Final = 4
_LONGEST: Final = 64 * 1024  # characters; a longer text with a secret is replaced as a whole, after one search
# These limits bound the time spent on the names of query parameters in one text.
_MOST_NAMES: Final = 5_000  # different names
_MOST_CHECKED: Final = 1_000  # names that may be secret; their words are checked
_MOST_CHARACTERS: Final = 20_000  # characters of these names
_PARAMETER_VALUE: Final = re.compile(NOT_MASKED + r"[^&#;\s\"'<>\0]+")

# A pattern is tried only if the text contains its hint. To avoid searching for every hint, hints are grouped by mark:
# the first of these characters that the hint contains. The hints of a mark are searched for only if the text contains
# the mark. A hint without any of these characters has the empty mark, which every text contains.
_MARKS: Final = "_-.:="


def _mark_of(pattern: Pattern) -> str:
    return next((mark for mark in _MARKS if mark in pattern.hint), "")


_PATTERNS_BY_MARK: Final = [
    (mark, [(pattern.hint, pattern) for pattern in PATTERNS if _mark_of(pattern) == mark]) for mark in ("", *_MARKS)
]


def first_secret(text: str) -> int | None:
    """The index at which the first secret in the text starts. None if there is none."""
    guarded = _with_barriers(text)
    possible = _possible_patterns(guarded)
    if not possible:  # nearly always, so it must be quick
        return None
    starts = (next((start for start, _ in secret_spans(pattern, guarded)), None) for pattern in possible)
    return min((start for start in starts if start is not None), default=None)


def contains_secret(text: str) -> bool:
    return first_secret(text) is not None


def redacted(text: str) -> str:
    """The text with `[redacted]` in place of each secret. No secret is left, so redacting it again changes nothing."""
    if len(text) > _LONGEST:
        return REDACTED if contains_secret(text) else text
    cleaned = _without_secrets(text, _MOST_SECRETS)
    return REDACTED if cleaned is None else cleaned


def all_redacted(texts: Sequence[str], max_secrets: int) -> list[str] | None:
    """The texts, redacted together. None if they contain more than `max_secrets` secrets, or still contain secrets
    after the last pass. No text may contain a NUL.
    """
    cleaned = _without_secrets("\0".join(texts), max_secrets)
    return None if cleaned is None else cleaned.split("\0")


def _without_secrets(text: str, max_secrets: int) -> str | None:
    """The redacted text. None if it contains more than `max_secrets` secrets, or still contains secrets after the last
    pass.
    """
    for _ in range(_MOST_PASSES):
        guarded = _with_barriers(text)
        spans = [
            span
            for pattern in _possible_patterns(guarded)
            for span in islice(secret_spans(pattern, guarded), max_secrets + 1)
        ]
        if not spans:
            return text
        if len(spans) > max_secrets:
            return None
        text = _redact_spans(text, sorted(spans))
    return None


def _with_barriers(text: str) -> str:
    """The text with a barrier of the same length in place of each `[redacted]`, so that no pattern matches there."""
    return text.replace(REDACTED, _BARRIER)


def _possible_patterns(text: str) -> list[Pattern]:
    low = text.lower()
    return [pattern for mark, rows in _PATTERNS_BY_MARK if mark in low for hint, pattern in rows if hint in low]


def _redact_spans(text: str, spans: Sequence[tuple[int, int]]) -> str:
    """The text with `[redacted]` in place of each span. Spans that overlap count as one."""
    parts: list[str] = []
    kept_to = 0
    for start, end in spans:
        if start >= kept_to:
            parts += (text[kept_to:start], REDACTED)
        kept_to = max(kept_to, end)
    return "".join([*parts, text[kept_to:]])


def secret_spans(pattern: Pattern, text: str) -> Iterator[tuple[int, int]]:
    """The places of the pattern's secrets in the text, in order. The caller checks the hint first."""
    if pattern.by_name:
        yield from _spans_by_name(pattern.expression, text)
        return
    group = "secret" if "secret" in pattern.expression.groupindex else 0
    for found in pattern.expression.finditer(text):
        yield found.span(group)


def _spans_by_name(expression: re.Pattern[str], text: str) -> Iterator[tuple[int, int]]:
    # The parts alternate: a text before a name, then the name. A loop over all matches would take three times as long.
    parts = expression.split(text)
    names = parts[1::2]
    secret = _secret_names(list(dict.fromkeys(names)))
    if not secret:
        return
    ends = list(accumulate(map(len, parts)))[1::2]
    read_to = 0
    for number, name in enumerate(names, 1):
        if name in secret:
            # `split` drops one character before each name (such as `?`) and one after it (`=`).
            at = ends[number - 1] + 2 * number
            # A name inside the previous value belongs to that value.
            if at >= read_to and (value := _PARAMETER_VALUE.match(text, at)):
                read_to = value.end()
                yield value.span()


def _secret_names(names: Sequence[str]) -> set[str]:
    """The names whose values are secrets. Beyond the limits, the words of names are not checked. Of the first
    `_MOST_NAMES` names, an unchecked one then counts as secret if it contains a stem. The later names all count as
    secret if any of them contains a stem.
    """
    possible = [name for name in names[:_MOST_NAMES] if STEM.search(name.lower())]
    lengths = accumulate(map(len, possible))
    checked = min(_MOST_CHECKED, sum(length <= _MOST_CHARACTERS for length in lengths))
    secret = {name for name in possible[:checked] if is_secret_name(name)}
    secret.update(possible[checked:])
    rest = names[_MOST_NAMES:]
    if may_hold_secret_name("\0".join(rest)):
        secret.update(rest)
    return secret
