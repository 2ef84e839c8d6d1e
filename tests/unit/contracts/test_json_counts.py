"""Values and members are counted exactly, on the raw bytes, before anything is parsed."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daybook_contracts.json import counts as json_counts
from daybook_contracts.json.counts import counting_values, has_members, has_more_values, windows
from support.command_strategies import values

_TEXTS = st.text(st.sampled_from('a"\\,:[]{} \u00e9'), max_size=6)
_TRICKY: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.integers(0, 9) | _TEXTS | st.just([]) | st.just({}),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXTS, inner, max_size=4),
    max_leaves=20,
)


@pytest.fixture(params=[2, 8, 64 * 1024])
def window(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(json_counts, "WINDOW", request.param)
    size: int = request.param
    return size


def values_in(value: Any) -> int:
    return 1 + sum(map(values_in, _children(value)))


def members_in(value: Any) -> int:
    return (len(value) if isinstance(value, dict) else 0) + sum(map(members_in, _children(value)))


def _children(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        yield from value.values()
    elif isinstance(value, list):
        yield from value


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_TRICKY | values, st.sampled_from([None, 1]), st.sampled_from([False, True]))
def test_counts_on_bytes_equal_counts_on_the_value(window: int, value: Any, indent: int | None, escaped: Any) -> None:
    raw = json.dumps(value, indent=indent, ensure_ascii=escaped).encode()
    count = values_in(value)
    assert not has_more_values(raw, count)
    assert count == 1 or has_more_values(raw, count - 1)
    assert has_members(raw, members_in(value))
    assert members_in(value) == 0 or not has_members(raw, members_in(value) - 1)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.sampled_from('a"\\'), max_size=40))
def test_windows_are_the_text_with_escapes_neutralised(window: int, text: str) -> None:
    raw = text.encode()
    expected = raw.replace(b"\\\\", b"__").replace(b'\\"', b"__")
    assert b"".join(windows(raw)) == expected
    assert all(len(piece) <= window for piece in windows(raw))


@pytest.mark.parametrize("text", [b"[" * 1000, b"," * 1000, b'"' * 4000, b'{"a":' * 1000, b'["",' * 500])
def test_the_count_is_a_bound_even_for_invalid_json(text: bytes) -> None:
    assert has_more_values(text, 400)


def test_counting_stops_when_there_are_too_many_values() -> None:
    raw = b"[" + b",".join([b'"x"'] * 1_000_000) + b"]"
    assert len(list(counting_values(raw, 20_000))) == 2
    assert len(list(counting_values(raw, 999_000))) > 50


def test_a_text_with_too_few_separators_is_not_scanned() -> None:
    assert list(counting_values(b'["' + b"x" * 1_000_000 + b'"]', 10)) == []
