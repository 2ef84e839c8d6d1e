"""Numbers in PostgreSQL's jsonb, which need not be doubles."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daybook_contracts.json.canonical import MAX_DEPTH
from daybook_projector.audit.checks.numbers import Unhashable, read_jsonb
from support.chain import jcs

EXACT = {
    '{"a": 1.0, "b": [0.10, 100000000000000000000, -0]}': b'{"a":1,"b":[0.1,100000000000000000000,0]}',
    "9007199254740994": b"9007199254740994",
    "1000000000000000000000": b"1e+21",
    "0.0000001": b"1e-7",
    "0.00000000000000000000000000001": b"1e-29",
    "123456789012345.0000000000000000": b"123456789012345",
    '{"id": "12345678901234567890"}': b'{"id":"12345678901234567890"}',
    '{"id": " 12345678901234567890", "a": 123456789012345}': b'{"a":123456789012345,"id":" 12345678901234567890"}',
    '{"bb": -0.50, "a": [-1, 2.0], "c": "\\" 1.0"}': b'{"a":[-1,2],"bb":-0.5,"c":"\\" 1.0"}',
    '{"\ue000": 1, "\U0001f600": 2}': '{"\U0001f600":2,"\ue000":1}'.encode(),
}
INEXACT = {
    "9007199254740993": b"9007199254740992",
    "[1, 0.30000000000000001, 12345678901234567890]": b"[1,0.3,12345678901234567000]",
    f"0.{'0' * 400}1": b"0",
    "1.00000000000000001": b"1",
    '{"a": 9007199254740993}': b'{"a":9007199254740992}',
    '{"a": {"b": [-1.00000000000000001]}}': b'{"a":{"b":[-1]}}',
    '{"a": "\\"", "b": 9007199254740993}': b'{"a":"\\"","b":9007199254740992}',
}


@pytest.mark.parametrize("text", EXACT)
def test_a_number_that_is_the_shortest_decimal_of_its_double_is_exact(text: str) -> None:
    found = read_jsonb(text)
    assert (found.jcs, found.inexact) == (EXACT[text], None)


@pytest.mark.parametrize("text", INEXACT)
def test_any_other_number_is_inexact_and_hashed_as_its_double(text: str) -> None:
    found = read_jsonb(text)
    assert found.jcs == INEXACT[text]
    assert found.inexact is not None
    assert found.inexact in text


def test_the_first_of_several_inexact_numbers_is_returned() -> None:
    assert read_jsonb("[9007199254740994, 9007199254740993, 9007199254740995]").inexact == "9007199254740993"


@pytest.mark.parametrize("text", [f"[1, {'9' * 309}]", f"-{'9' * 400}.5"])
def test_a_number_beyond_doubles_makes_the_value_unhashable(text: str) -> None:
    with pytest.raises(Unhashable, match="overflows"):
        read_jsonb(text)


@pytest.mark.parametrize("number", ["1", "1234567890123456.5"])
def test_a_value_nested_deeper_than_an_entry_can_be_is_unhashable(number: str) -> None:
    deepest = f"{'[' * MAX_DEPTH}{number}{']' * MAX_DEPTH}"
    assert read_jsonb(deepest).jcs == deepest.encode()
    assert read_jsonb(f'{{"a": {deepest[1:-1]}}}').jcs == f'{{"a":{deepest[1:-1]}}}'.encode()
    assert read_jsonb(f'["{"[" * MAX_DEPTH}"]').inexact is None
    with pytest.raises(Unhashable, match="512"):
        read_jsonb(f"[{deepest}]")


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_double_is_exact_as_postgresql_writes_it(number: float) -> None:
    found = read_jsonb(f"[{format(Decimal(repr(number)), 'f')}]")
    assert (found.jcs, found.inexact) == (jcs([number]), None)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=3), st.integers(0, 10))
def test_a_decimal_is_exact_if_its_double_has_the_same_shortest_decimal(number: Decimal, zeros: int) -> None:
    text = format(number, "f") + "0" * zeros
    assert (read_jsonb(text).inexact is None) == (Decimal(repr(float(text))) == Decimal(text))
