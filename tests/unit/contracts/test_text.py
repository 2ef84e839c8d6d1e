"""Ids and names: what publishers may write, and how Daybook stores it."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daybook_contracts.text import name_text, uuid_text, uuid_version


@pytest.mark.parametrize("version", ["1", "4", "5", "7", "8", "f"])
def test_a_uuid_of_any_version_is_lowercased(version: str) -> None:
    text = f"0189ABCD-0000-{version}000-8000-0000000000Ff"
    assert uuid_text(text) == text.lower()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "01890000000070008000000000000002",
        "{01890000-0000-7000-8000-000000000002}",
        "urn:uuid:01890000-0000-7000-8000-000000000002",
        "01890000-0000-7000-8000-000000000002\n",
        " 01890000-0000-7000-8000-000000000002",
        "01890000-0000-7000-8000-00000000000g",
        "01890000-0000-7000-8000-00000000000\u0661",
        "00000000-0000-0000-0000-000000000000",
        "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF",
    ],
)
def test_other_forms_of_a_uuid_and_nil_and_max_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="UUID"):
        uuid_text(text)


def test_a_uuid_has_a_version_only_with_the_rfc_variant() -> None:
    assert uuid_version("01890000-0000-8000-8000-000000000002") == 8
    assert uuid_version("01890000-0000-8000-b000-000000000002") == 8
    assert uuid_version("01890000-0000-8000-c000-000000000002") is None


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("  Acme \t\n", "Acme"),
        ("Cafe\u0301", "Caf\u00e9"),
        ("\u2003wide\u00a0", "wide"),
        ("a\u200db", "a\u200db"),
        ("\U0001f680" * 200, "\U0001f680" * 200),
        (" " * 300 + "x" * 200, "x" * 200),
        ("e\u0301" * 200, "\u00e9" * 200),
        ("\u03b1\u0313\u0342\u0345" * 200, "\u1f86" * 200),
    ],
)
def test_a_name_is_trimmed_then_composed(text: str, name: str) -> None:
    assert name_text(text) == name


@pytest.mark.parametrize("text", ["", " \t ", "x" * 201, "\u0958" * 101, "a\nb", "a\x7fb", "a\x85b", "a\x9f"])
def test_an_empty_or_too_long_name_or_one_with_control_characters_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must"):
        name_text(text)


def test_a_long_name_of_combining_marks_is_refused_without_normalising_it() -> None:
    """Normalising it would take longer than a test may: Python's normalisation takes quadratic time."""
    with pytest.raises(ValueError, match="must"):
        name_text("a" + "\u0315\u0300" * 400_000)


@given(st.text(max_size=30))
def test_normalising_a_name_is_idempotent(text: str) -> None:
    try:
        name = name_text(text)
    except ValueError:
        return
    assert name_text(name) == name
    assert not any(unicodedata.category(char) == "Cc" for char in name)
