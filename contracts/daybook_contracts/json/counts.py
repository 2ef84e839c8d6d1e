"""How many values and members a JSON text has: bytes in, counts out, before any parser builds what they stand for.

Exact for every JSON text. Of other texts a count says only that parsing them would be too much. Linear, and done by the
C functions of `bytes`; nothing here looks at characters one by one.
"""

from collections.abc import Iterator
from typing import Final

# A power of two, so that a window of nothing but backslashes ends where an escape does.
WINDOW: Final = 64 * 1024
_WHITE_SPACE: Final = b" \t\r\n"
_ALL_BUT_MARKS: Final = bytes(set(range(256)) - set(b",[{"))
# A value has at most two strings, itself and its name, of two quotes each.
_QUOTES_OF_A_VALUE: Final = 4


def has_more_values(raw: bytes, most: int) -> bool:
    """Whether a text has more than `most` values; names of members do not count, arrays and objects do."""
    # Each takes a byte at least: small texts need no look.
    return len(raw) > most and any(count > most for count in counting_values(raw, most))


def counting_values(raw: bytes, most: int) -> Iterator[int]:
    """The values found so far, window by window, until there are more than `most`: the last is the count, at least.

    Nothing at all where a look at the commas and brackets shows that there cannot be more.
    """
    # Each value but the first follows a comma or an opening bracket.
    marks, quotes = len(raw.translate(None, _ALL_BUT_MARKS)), raw.count(b'"')
    if marks < most and quotes <= most * _QUOTES_OF_A_VALUE:
        return
    values, strings, before = 1, 0, b""
    for outside in _outside_strings(raw):
        joined = before + outside
        values += len(outside.translate(None, _ALL_BUT_MARKS)) - joined.count(b"[]") - joined.count(b"{}")
        strings += outside.count(b'"')
        before = outside[-1:] or before
        # A bracket at the end may turn out to be an empty array's.
        count = max(values - (before in {b"[", b"{"}), strings // 2)
        yield count
        if count > most:
            return


def has_members(raw: bytes, members: int) -> bool:
    """Whether the objects of a JSON text have no more members, all of them together, than those that a parser kept.

    A member given twice counts twice in the text; a parser keeps it once.
    """
    if raw.count(b":") == members:
        return True  # there cannot be one more
    return sum(outside.count(b":") for outside in _outside_strings(raw)) == members


def windows(raw: bytes) -> Iterator[bytes]:
    """The text in pieces of 64 KiB, each with its escaped quotes and backslashes made harmless, of the same length."""
    start = 0
    while start < len(raw):
        window = raw[start : start + WINDOW]
        if b"\\" not in window:
            yield window
        else:
            if start + WINDOW < len(raw) and (len(window) - len(window.rstrip(b"\\"))) % 2:
                window = window[:-1]  # the escape's second half is in the next one
            yield window.replace(b"\\\\", b"__").replace(b'\\"', b"__")
        start += len(window)


def _outside_strings(raw: bytes) -> Iterator[bytes]:
    """The text without white space, and a quote in the place of each string, window by window.

    A string that goes on in the next window has its quote in the first.
    """
    inside = 0
    for window in windows(raw):
        pieces = window.split(b'"')
        outside = b'"'.join(pieces[inside::2])
        starts_inside, inside = inside, (inside + len(pieces) - 1) % 2
        if inside and not (starts_inside and len(pieces) == 1):
            outside += b'"'
        yield outside.translate(None, _WHITE_SPACE)
