"""`created_at` as text and as microseconds."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daybook_contracts.timestamps import microseconds, timestamp


@pytest.mark.parametrize(
    "text",
    [
        "0001-01-01T00:00:00.000000Z",
        "0099-12-31T23:59:59.999999Z",
        "0999-01-01T00:00:00.000001Z",
        "1969-12-31T23:59:59.999999Z",
        "2026-11-22T15:10:13.000000Z",
        "9999-12-31T23:59:59.999999Z",
    ],
)
def test_every_year_has_four_digits(text: str) -> None:
    assert timestamp(microseconds(text)) == text


@given(st.datetimes(), st.datetimes())
def test_texts_sort_as_their_times_do(one: datetime, other: datetime) -> None:
    times = [microseconds(f"{each.isoformat()}Z") for each in (one, other)]
    assert sorted(map(timestamp, times)) == list(map(timestamp, sorted(times)))
