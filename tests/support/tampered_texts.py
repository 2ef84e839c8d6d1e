"""Exports in which the text of a line was changed, so that it is no longer JSON, or no longer canonical."""

from collections.abc import Iterator, Sequence
from typing import Any

from support.chain import Json
from support.exports import (
    LOG,
    Export,
    Files,
    export_of,
    file_name,
    honest_lines,
)

FILE = file_name(2)
SECOND = LOG[2]
LAST = len(SECOND) - 1


def in_line(position: int, /, **members: Any) -> Json:
    """A finding about a readable line of partition 2."""
    return {"id": SECOND[position]["id"], "partition": 2, "place": "export", "position": position} | members


def unreadable(position: int) -> Json:
    return {"check": "unreadable", "partition": 2, "place": "export", "position": position}


def missing(position: int) -> Json:
    return {"check": "missing", "partition": 2, "place": "export", "position": position}


def replaced(value: bytes, old: str, new: str | bytes) -> bytes:
    assert value.count(old.encode()) == 1, (old, value)
    return value.replace(old.encode(), new if isinstance(new, bytes) else new.encode())


def with_file(file: Sequence[bytes]) -> Files:
    """The honest export with these lines in partition 2's file. The manifest is not changed."""
    return export_of(honest_lines()) | {FILE: b"".join(file)}


def with_line(position: int, old: str, new: str | bytes) -> Files:
    file = honest_lines()[2]
    file[position] = replaced(file[position], old, new)
    return with_file(file)


def not_readable() -> Iterator[Export]:
    deep = "[" * 510 + "]" * 510
    for name, old, new in (
        ("a brace that opens", '{"action"', '["action"'),
        ("a brace that closes", '"success"}', '"success"]'),
        ("a brace left out", '"success"}', '"success"'),
        ("an entry in a list", '{"action"', '[{"action"'),
        ("a byte order mark", '{"action"', '\ufeff{"action"'),
        ("two values in a line", '{"action"', '1{"action"'),
        ("a raw tab in a text", "Coffee", "Cof\tfee"),
        ("a raw NUL in a text", "Coffee", "Cof\x00fee"),
        ("NaN", '"Coffee {7}"', "NaN"),
        ("a number with a leading zero", '"Coffee {7}"', "01"),
        ("a single quote", '"Coffee {7}"', "'Coffee'"),
        ("a comma too many", '"Coffee {7}"', '"Coffee",'),
        ("a no-break space between tokens", '{"action"', '\xa0{"action"'),
        ("a line separator between tokens", '{"action"', '\u2028{"action"'),
        ("a byte that is not UTF-8", "Coffee", b"Cof\xfffee"),
        ("UTF-8 cut short", "Coffee", b"Cof\xc3"),
        ("an overlong form", "Coffee", b"Cof\xc0\xaffee"),
        ("a surrogate in UTF-8", "Coffee", b"Cof\xed\xa0\x80fee"),
        ("a code point above U+10FFFF", "Coffee", b"Cof\xf4\x90\x80\x80fee"),
        ("nested 513 deep", '"Coffee {7}"', deep),
        ("nested 513 deep in a member that another hides", '"data":', f'"data":[{deep}],"data":'),
    ):
        yield Export(name, with_line(1, old, new), unreadable(1))
    first, *rest = honest_lines()[2]
    yield Export("an empty line", with_file([first, b"\n", *rest]), unreadable(1))
    yield Export("an empty line at the end", with_file([first, *rest, b"\n"]), unreadable(LAST + 1))
    yield Export("a scalar", with_file([first, b"1\n", *rest]), unreadable(1))
    yield Export("a list", with_file([first, b"[]\n", *rest]), unreadable(1))
    yield Export("an unfinished line at the end", with_file([first, *rest, b"{"]), unreadable(LAST + 1))
    yield Export("a line feed as a space", with_file([first[:-1] + b" ", *rest]), unreadable(0))
    yield Export("a line feed left out", with_file([first[:-1], *rest]), unreadable(0))
    yield Export("a line feed inside a line", with_file([first.replace(b",", b",\n", 1), *rest]), unreadable(0))


def not_canonical() -> Iterator[Export]:
    for name, old, new in (
        ("white space", '{"action"', '{ "action"'),
        ("white space before a value", '{"action"', ' {"action"'),
        ("members in another order", '"ordinal":0,"partition":2', '"partition":2,"ordinal":0'),
        ("a number with a point", '"ordinal":0', '"ordinal":0.0'),
        ("a number with an exponent", '"ordinal":0', '"ordinal":0e0'),
        ("a negative zero", '"ordinal":0', '"ordinal":-0'),
        ("a number too large", '"ordinal":0', '"ordinal":1e400'),
        ("a number too small", '"ordinal":0', '"ordinal":1e-400'),
        ("a number with too many digits", '"ordinal":0', '"ordinal":9007199254740993'),
        ("an integer without its exponent", '"ordinal":0', f'"ordinal":1{"0" * 21}'),
        ("a letter escaped", "Coffee", "\\u0043offee"),
        ("a slash escaped", "Coffee", "Coffee\\/"),
        ("DEL escaped", "Coffee", "Coffee\\u007f"),
        ("a line feed in six characters", "Coffee", "Coffee\\u000a"),
        ("an upper-case escape", "Coffee", "Coffee\\u001F"),
        ("a lone surrogate escaped", "Coffee", "Coffee\\ud800"),
        ("a lone surrogate as a name", '"data":{', '"data":{"\\udc00":1,'),
        ("surrogates in the wrong order", "Coffee", "Coffee\\ude00\\ud83d"),
        ("a pair of surrogates escaped", "Coffee", "Coffee\\ud83d\\ude00"),
        ("a name twice with equal values", '"v":1', '"v":1,"v":1'),
        ("a name twice", '"name":"Coffee {7}"', '"name":"Tea","name":"Coffee {7}"'),
        ("__proto__ twice", '"data":{', '"data":{"__proto__":1,"__proto__":{},'),
        ("a carriage return in one line", '"success"}', '"success"}\r'),
        ("names by code points", '"data":{', '"data":{"\ue000":1,"\U0001f600":1,'),
        ("nested 512 deep, with a space", '"Coffee {7}"', f" {'[' * 509}{']' * 509}"),
    ):
        yield Export(name, with_line(1, old, new), in_line(1, check="canonical"))
    whole = honest_lines()[2]
    yield Export("CRLF", with_file([line[:-1] + b"\r\n" for line in whole]), in_line(0, check="canonical"))
    end = [*whole[:-1], whole[-1][:-1]]
    yield Export("no line feed at the end", with_file(end), in_line(LAST, check="canonical"))
    ids = f'"id":"{SECOND[1]["id"]}"'
    doubled = with_line(1, ids, f'{ids},"id":"{SECOND[2]["id"]}"')
    yield Export("two ids in a line", doubled, in_line(1, check="canonical", id=SECOND[2]["id"]))
