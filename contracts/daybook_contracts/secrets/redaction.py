"""Credentials in a text: whether and where there is one, and the text without them."""

from collections.abc import Sequence
from itertools import islice
from typing import Final

from daybook_contracts.secrets.patterns import PATTERNS, Pattern, spans_of

REDACTED: Final = "[redacted]"

_BARRIER: Final = "\0" * len(REDACTED)  # no pattern goes across it
_MOST_SECRETS: Final = 1_000  # a text with more of them is replaced whole
# What is left of a text may look like a secret again. Whatever has not settled by then is replaced whole.
_MOST_PASSES: Final = 4
_LONGEST: Final = 64 * 1024  # characters; a longer text with a secret is replaced whole, after a single look

# Most texts have few of these marks, and so need to be looked at for few hints. Every text has the empty one.
_MARKS: Final = "_-.:="


def _mark(pattern: Pattern) -> str:
    return next((mark for mark in _MARKS if mark in pattern.hint), "")


_BY_MARK: Final = [
    (mark, [(pattern.hint, pattern) for pattern in PATTERNS if _mark(pattern) == mark]) for mark in ("", *_MARKS)
]


def first_secret(text: str) -> int | None:
    """Where the first secret in the text begins."""
    guarded = _guarded(text)
    starts = (next((start for start, _ in spans_of(pattern, guarded)), None) for pattern in _possible(guarded))
    return min((start for start in starts if start is not None), default=None)


def holds_secret(text: str) -> bool:
    return first_secret(text) is not None


def redacted(text: str) -> str:
    """The text with `[redacted]` for each secret in it. What comes out holds none, so a second time changes nothing."""
    if len(text) > _LONGEST:
        return REDACTED if holds_secret(text) else text
    settled = _settled(text, _MOST_SECRETS)
    return REDACTED if settled is None else settled


def all_redacted(texts: Sequence[str], most: int) -> list[str] | None:
    """The texts, redacted in one go; None where they hold more than `most` secrets. None of them has a NUL."""
    settled = _settled("\0".join(texts), most)
    return None if settled is None else settled.split("\0")


def _settled(text: str, most: int) -> str | None:
    for _ in range(_MOST_PASSES):
        guarded = _guarded(text)
        spans = [span for pattern in _possible(guarded) for span in islice(spans_of(pattern, guarded), most + 1)]
        if not spans:
            return text
        if len(spans) > most:
            return None
        text = _without(text, sorted(spans))
    return None


def _guarded(text: str) -> str:
    """Of the same length, with nothing that has been redacted: neither a secret nor a part of one."""
    return text.replace(REDACTED, _BARRIER)


def _possible(text: str) -> list[Pattern]:
    low = text.lower()
    return [pattern for mark, rows in _BY_MARK if mark in low for hint, pattern in rows if hint in low]


def _without(text: str, spans: Sequence[tuple[int, int]]) -> str:
    """Spans that overlap count as one."""
    parts: list[str] = []
    kept_to = 0
    for start, end in spans:
        if start >= kept_to:
            parts += (text[kept_to:start], REDACTED)
        kept_to = max(kept_to, end)
    return "".join([*parts, text[kept_to:]])
