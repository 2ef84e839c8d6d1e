"""Counts the values and members of a JSON text before a parser builds them.

The counts are exact for valid JSON; for any other text they are only a bound. Counting takes linear time and uses the C
functions of `bytes`: no Python loop runs once per character.
"""

from collections.abc import Iterator
from typing import Final

# An even number, so that a window that consists only of backslashes does not split an escape.
WINDOW: Final = 64 * 1024
_WHITE_SPACE: Final = b" \t\r\n"
_ALL_BUT_MARKS: Final = bytes(set(range(256)) - set(b",[{"))
# A value has at most two strings, itself and its name, with two quotes each.
_QUOTES_OF_A_VALUE: Final = 4


def has_more_values(raw: bytes, most: int) -> bool:
    """Whether a text has more than `most` values. Arrays and objects are values, names of members are not."""
    # Each value takes at least one byte, so a short text needs no counting.
    return len(raw) > most and any(count > most for count in counting_values(raw, most))


def counting_values(raw: bytes, most: int) -> Iterator[int]:
    """Yields the number of values found so far after each window, until there are more than `most`.

    Yields nothing if the numbers of commas, brackets and quotes show that there cannot be more than `most`.
    """
    # Every value except the first follows a comma or an opening bracket.
    marks, quotes = len(raw.translate(None, _ALL_BUT_MARKS)), raw.count(b'"')
    if marks < most and quotes <= most * _QUOTES_OF_A_VALUE:
        return
    values, strings, before = 1, 0, b""
    for outside in _outside_strings(raw):
        joined = before + outside
        values += len(outside.translate(None, _ALL_BUT_MARKS)) - joined.count(b"[]") - joined.count(b"{}")
        strings += outside.count(b'"')
        before = outside[-1:] or before
        # An opening bracket at the end of a window may belong to an empty array or object.
        count = max(values - (before in {b"[", b"{"}), strings // 2)
        yield count
        if count > most:
            return


def has_members(raw: bytes, members: int) -> bool:
    """Whether the objects of a JSON text have as many members as a parser kept, which is `members`. If not, a key is
    given twice, and the parser kept only one of the two.
    """
    if raw.count(b":") == members:
        return True
    return sum(outside.count(b":") for outside in _outside_strings(raw)) == members


def windows(raw: bytes) -> Iterator[bytes]:
    """The text in pieces of 64 KiB, with each escaped quote or backslash replaced by `__`."""
    start = 0
    while start < len(raw):
        window = raw[start : start + WINDOW]
        if b"\\" not in window:
            yield window
        else:
            if start + WINDOW < len(raw) and (len(window) - len(window.rstrip(b"\\"))) % 2:
                window = window[:-1]  # the second half of this escape is in the next window
            yield window.replace(b"\\\\", b"__").replace(b'\\"', b"__")
        start += len(window)


def _outside_strings(raw: bytes) -> Iterator[bytes]:
    """The text of each window without white space, and with one quote in place of each string. If a string continues in
    the next window, the quote is in the window where the string begins.
    """
    inside = 0
    for window in windows(raw):
        pieces = window.split(b'"')
        outside = b'"'.join(pieces[inside::2])
        starts_inside, inside = inside, (inside + len(pieces) - 1) % 2
        if inside and not (starts_inside and len(pieces) == 1):
            outside += b'"'
        yield outside.translate(None, _WHITE_SPACE)
