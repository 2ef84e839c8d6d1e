"""Canonical JSON against RFC 8785's published vectors and against the `rfc8785` package."""

import json
import struct
from math import isfinite

import orjson
import pytest
import rfc8785
from hypothesis import example, given

from daybook_contracts.json.canonical import NotCanonical, canonical_bytes, is_plainly_canonical
from daybook_contracts.json.canonical import parse_canonical as parse
from daybook_contracts.limits import MAX_SAFE_INTEGER
from support.json_values import any_doubles, doubles, json_values

NUMBERS_OF_APPENDIX_B = [
    ("0000000000000000", "0"),
    ("8000000000000000", "0"),
    ("0000000000000001", "5e-324"),
    ("8000000000000001", "-5e-324"),
    ("7fefffffffffffff", "1.7976931348623157e+308"),
    ("ffefffffffffffff", "-1.7976931348623157e+308"),
    ("4340000000000000", "9007199254740992"),
    ("c340000000000000", "-9007199254740992"),
    ("4430000000000000", "295147905179352830000"),
    ("44b52d02c7e14af5", "9.999999999999997e+22"),
    ("44b52d02c7e14af6", "1e+23"),
    ("44b52d02c7e14af7", "1.0000000000000001e+23"),
    ("444b1ae4d6e2ef4e", "999999999999999700000"),
    ("444b1ae4d6e2ef4f", "999999999999999900000"),
    ("444b1ae4d6e2ef50", "1e+21"),
    ("3eb0c6f7a0b5ed8c", "9.999999999999997e-7"),
    ("3eb0c6f7a0b5ed8d", "0.000001"),
    ("41b3de4355555553", "333333333.3333332"),
    ("41b3de4355555554", "333333333.33333325"),
    ("41b3de4355555555", "333333333.3333333"),
    ("41b3de4355555556", "333333333.3333334"),
    ("41b3de4355555557", "333333333.33333343"),
    ("becbf647612f3696", "-0.0000033333333333333333"),
    ("43143ff3c1cb0959", "1424953923781206.2"),
]


@pytest.mark.parametrize(("bits", "text"), NUMBERS_OF_APPENDIX_B)
def test_numbers_of_appendix_b_are_encoded_as_published(bits: str, text: str) -> None:
    (number,) = struct.unpack(">d", bytes.fromhex(bits))
    assert canonical_bytes(number) == text.encode()
    assert canonical_bytes([number]) == f"[{text}]".encode()


def test_keys_are_sorted_by_utf_16_code_units() -> None:
    value = {
        "\u20ac": "Euro Sign",
        "\r": "Carriage Return",
        "\ufb33": "Hebrew Letter Dalet With Dagesh",
        "1": "One",
        "\U0001f600": "Emoji: Grinning Face",
        "\u0080": "Control",
        "\u00f6": "Latin Small Letter O With Diaeresis",
    }
    assert list(json.loads(canonical_bytes(value)).values()) == [
        "Carriage Return",
        "One",
        "Control",
        "Latin Small Letter O With Diaeresis",
        "Euro Sign",
        "Emoji: Grinning Face",
        "Hebrew Letter Dalet With Dagesh",
    ]


def test_the_sample_object_of_the_rfc_is_encoded_as_published() -> None:
    sample = r"""{
      "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
      "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
      "literals": [null, true, false]
    }"""
    assert (
        canonical_bytes(json.loads(sample))
        == (
            r'{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
            r'"string":"€$\u000f\nA'
            "'"
            r'B\"\\\\\"/"}'
        ).encode()
    )


def test_every_character_of_the_basic_plane_is_escaped_like_the_reference() -> None:
    characters = [chr(point) for point in range(0x11000) if not 0xD800 <= point < 0xE000]
    assert canonical_bytes(characters) == rfc8785.dumps(characters)
    assert canonical_bytes(dict.fromkeys(characters[:2048])) == rfc8785.dumps(dict.fromkeys(characters[:2048]))


@given(json_values())
@example({"\ue000": 1, "\U00010000": 2})
@example([MAX_SAFE_INTEGER, -MAX_SAFE_INTEGER, 1.0, -0.0, 1e-6, 1e-7, 9.9e-5, 1e-4, 1e15, 1e16, 1e20, 1e21])
def test_any_value_is_encoded_like_the_reference(value: object) -> None:
    assert canonical_bytes(value) == rfc8785.dumps(value)  # type: ignore[arg-type]  # JSON by construction


def check_double(number: float) -> None:
    """Asserts that a double is encoded as the reference encodes it, or refused if the reference refuses it."""
    try:
        expected = rfc8785.dumps([number])
    except rfc8785.FloatDomainError:
        with pytest.raises(NotCanonical):
            canonical_bytes([number])
    else:
        assert canonical_bytes([number]) == expected, number.hex()
        assert parse(expected) == [number]


def test_doubles_of_every_range_are_encoded_like_the_reference_or_refused() -> None:
    for seed in range(4):
        for number in doubles(seed):
            check_double(number)


def test_only_the_reference_spelling_of_a_double_is_canonical() -> None:
    """Tries each double in five spellings."""
    for number in filter(isfinite, doubles(0)):
        spellings = (
            rfc8785.dumps(number),
            orjson.dumps(number),
            repr(number).encode(),
            b"%.17g" % number,
            b"%d" % number,
        )
        for text in set(spellings):
            is_canonical = rfc8785.dumps(float(text)) == text
            assert is_canonical or not is_plainly_canonical(text), (number.hex(), text)
            assert is_canonical is _parses(text), (number.hex(), text)


def _parses(text: bytes) -> bool:
    try:
        return parse(text) == float(text)
    except NotCanonical:
        return False


@given(any_doubles)
def test_any_double_is_encoded_like_the_reference_or_refused(number: float) -> None:
    check_double(number)


@pytest.mark.parametrize(
    "number", [19.5, 19.0, -0.0, 0.00001, 1.5e-5, 1.2e-6, 1e-6, 1e-7, 5e-324, 2**52 + 0.5, 1e15, 1e21, 1e300]
)
def test_ordinary_numbers_do_not_need_the_slow_path(number: float) -> None:
    assert is_plainly_canonical(rfc8785.dumps({"price": number}))


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        float("inf"),
        2**53,
        -(2**53),
        "\ud800",
        {"\udfff": 1},
        {1: 2},
        {"a": {"b": {None: 1}}},
        object(),
        b"bytes",
        {1, 2},
    ],
)
def test_a_value_outside_json_has_no_canonical_form(value: object) -> None:
    with pytest.raises(NotCanonical):
        canonical_bytes([value])


@given(json_values())
def test_canonical_bytes_round_trip(value: object) -> None:
    value_bytes = canonical_bytes(value)
    assert canonical_bytes(parse(value_bytes)) == value_bytes
    assert parse(value_bytes) == value


@given(json_values())
def test_bytes_called_plainly_canonical_are_canonical(value: object) -> None:
    for text in (canonical_bytes(value), json.dumps(value).encode(), json.dumps(value, ensure_ascii=False).encode()):
        if is_plainly_canonical(text):
            parse(text)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b" {}",
        b"{} ",
        b'{"b":1,"a":2}',
        b'{"a":1,"a":1}',
        b"1.0",
        b"-0",
        b"-0.0",
        b"1e2",
        b"1E+30",
        b"9007199254740993",
        b"1" * 5000,
        b"1e400",
        b"NaN",
        b"-Infinity",
        b'"\\u00e9"',
        b'"\\/"',
        b'"\\u001F"',
        b'"\xff"',
        b'"\xed\xa0\x80"',
        b'"\\ud800"',
        b"\xef\xbb\xbf{}",
        "{}".encode("utf-16"),
        b"[" * 513 + b"]" * 513,
        b"[" * 100_000 + b"]" * 100_000,
        b"[" * 100_000,
    ],
)
def test_non_canonical_bytes_are_refused(value: bytes) -> None:
    assert not is_plainly_canonical(value)
    with pytest.raises(NotCanonical):
        parse(value)


def test_integers_beyond_the_safe_range_are_read_as_doubles() -> None:
    assert parse(b"[9007199254740992,100000000000000000000]") == [9007199254740992.0, 1e20]
    assert parse(str(MAX_SAFE_INTEGER).encode()) == MAX_SAFE_INTEGER


def test_a_string_without_an_end_is_refused_in_linear_time() -> None:
    with pytest.raises(NotCanonical):  # in quadratic time, this would take hours
        parse(b'"' + b'\\"' * 2_000_000 + b"{}" * 600)


def test_512_levels_are_accepted_and_brackets_in_strings_do_not_count() -> None:
    deepest = b"[" * 512 + b"]" * 512
    assert canonical_bytes(parse(deepest)) == deepest
    with_sibling = b"[" * 512 + b"]" * 511 + b",[]]"
    assert canonical_bytes(parse(with_sibling)) == with_sibling
    flat = canonical_bytes(["[" * 1000, '\\"[', [[]] * 600])
    assert canonical_bytes(parse(flat)) == flat
