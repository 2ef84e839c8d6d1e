"""Strict JSON: texts that parsers could understand differently are refused."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from daybook_contracts.json.strict import Members, NotStrictJson, parse_loosely, parse_strictly
from daybook_contracts.limits import ADDED_VALUES, ENVELOPE_VALUES
from support.command_strategies import values

_SAFE = 2**53 - 1


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"[1,]",
        b"'x'",
        b"{} {}",
        b"\xef\xbb\xbf{}",
        b'"\xff"',
        b'"\xed\xa0\x80"',
        b'"\x00"',
        b'"\\u0000"',
        b'{"a\\u0000b":1}',
        b'[{"a":"x\\u0000"}]',
        b'"\\ud800"',
        b'"\\udc00\\ud800"',
        b"NaN",
        b"Infinity",
        b"-Infinity",
        b"1e400",
        b"-1e400",
        b"1e300",
        b"9007199254740992",
        b"-9007199254740992",
        b"9007199254740992.0",
        b"9007199254740992.5",
        b"90071992547409920e-1",
        b"123456789012345678901234567890",
        b"1" * 5000,
        b'{"a":1,"a":1}',
        b'{"a":1,"\\u0061":2}',
        b'[{"x":{"b":1,"c":2,"b":3}}]',
        b"[" * 33 + b"]" * 33,
        b"[" * 100_000,
        b'{"a":' * 33 + b"1" + b"}" * 33,
    ],
)
def test_json_that_readers_would_understand_differently_is_refused(text: bytes) -> None:
    with pytest.raises(NotStrictJson):
        parse_strictly(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b" {} \n", {}),
        (b'{"a":{"a":1}}', {"a": {"a": 1}}),
        (b'{"a": 1, "A": 2}', {"a": 1, "A": 2}),
        (b'"\\\\u0000"', "\\u0000"),
        (b'"\\ud83d\\ude80"', "\U0001f680"),
        (b"9007199254740991", _SAFE),
        (b"-9007199254740991.0", -_SAFE),
        (b"1e-400", 0),
        (b"0.1", 0.1),
        (b"[" * 32 + b"]" * 32, None),
        (b"[" * 31 + b"1" + b"]" * 31, None),
    ],
)
def test_other_json_is_read_as_it_is(text: bytes, value: Any) -> None:
    parsed = parse_strictly(text)
    assert value is None or parsed == value


@pytest.mark.parametrize("text", [b"1.0", b"1e0", b"10e-1", b"-0.0", b"1e15"])
def test_a_whole_number_is_an_integer_in_any_spelling(text: bytes) -> None:
    assert type(parse_strictly(text)) is int


@pytest.mark.parametrize(
    ("text", "path"),
    [
        (b'{"a":[0,{"b":1e300}]}', ("a", 1, "b")),
        (b'{"a":[0,{"b":"\\u0000"}]}', ("a", 1, "b")),
        (b'{"a":{"b":1,"b":2}}', ("b",)),
    ],
)
def test_a_fault_has_its_path(text: bytes, path: tuple[str | int, ...]) -> None:
    with pytest.raises(NotStrictJson) as caught:
        parse_strictly(text)
    assert caught.value.path == path


@given(values, st.sampled_from([None, 1]), st.sampled_from([False, True]))
@example({"a": 1.5, "b": [1e15]}, None, False)
def test_every_value_within_the_limits_is_read_in_any_spelling(value: Any, indent: int | None, escaped: Any) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=escaped).encode()
    assert parse_strictly(text) == value


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 1)), max_size=5))
def test_exactly_the_objects_with_duplicate_keys_are_refused(pairs: list[tuple[str, int]]) -> None:
    text = "{" + ",".join(f'"{key}":{number}' for key, number in pairs) + "}"
    if len(dict(pairs)) == len(pairs):
        assert parse_strictly(text.encode()) == dict(pairs)
    else:
        with pytest.raises(NotStrictJson, match="twice"):
            parse_strictly(text.encode())


def json_text(value: Any) -> Any:
    """Encodes a value whose objects are tuples of pairs, so that keys may repeat."""
    if isinstance(value, list):
        return "[" + ",".join(map(json_text, value)) + "]"
    if isinstance(value, tuple):
        return "{" + ",".join(f"{json.dumps(key)}:{json_text(inner)}" for key, inner in value) + "}"
    return json.dumps(value)


def refuse_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) != len(pairs):
        raise KeyError
    return dict(pairs)


@given(
    st.recursive(
        st.sampled_from([None, 5, ":", '"', "a:b", "\\", "é"]),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.lists(st.tuples(st.sampled_from(["a", "b:", '"', "\\"]), inner), max_size=3).map(tuple)
        ),
        max_leaves=15,
    )
)
def test_duplicate_keys_are_found_as_a_slow_parser_finds_them(value: Any) -> None:
    text = json_text(value)
    try:
        expected = json.loads(text, object_pairs_hook=refuse_duplicates)
    except KeyError:
        with pytest.raises(NotStrictJson, match="twice"):
            parse_strictly(text.encode())
    else:
        assert parse_strictly(text.encode()) == expected


def test_no_duplicate_key_is_named_if_several_keys_may_be_duplicates() -> None:
    with pytest.raises(NotStrictJson) as caught:
        parse_strictly(b'{"q":0,"x":{"q":1},"x":1}')
    assert caught.value.path == ()


@pytest.mark.parametrize("one", ["1", '""', "{}", "[]", '"a,[{:"', '{"a":[1]}'])
def test_a_text_may_have_10000_values_and_no_more(one: str) -> None:
    each = 3 if one.startswith('{"') else 1
    fitting = (ENVELOPE_VALUES - 1) // each
    assert len(parse_strictly(f"[{','.join([one] * fitting)}]".encode())) == fitting
    with pytest.raises(NotStrictJson, match="more than 10,000 JSON values"):
        parse_strictly(f"[{','.join([one] * (fitting + 1))}]".encode())


def test_loose_parsing_keeps_duplicate_members() -> None:
    assert parse_loosely(b'{"a":1e999,"a":"\xff"}') == Members([("a", float("inf")), ("a", "\ufffd")])
    assert parse_loosely(b"1" * 5000) == float("inf")


@pytest.mark.parametrize("text", [b"", b"{", b"[" * 100_000, b"[1" + b",1" * (ENVELOPE_VALUES + ADDED_VALUES) + b"]"])
def test_loose_parsing_of_an_unreadable_text_gives_none(text: bytes) -> None:
    assert parse_loosely(text) is None
