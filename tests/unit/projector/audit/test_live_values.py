"""Rows of a binary COPY as canonical rows, and the values that have no canonical form."""

from datetime import UTC, datetime, timedelta

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daybook_projector.audit.checks.live_values import OddValue, RowReader
from daybook_projector.projections.dlq_events import DLQ_EVENTS
from daybook_projector.projections.orgs import ORGS
from daybook_projector.projections.project_members import PROJECT_MEMBERS
from daybook_projector.projections.source_connections import SOURCE_CONNECTIONS
from daybook_projector.projections.sync_runs import SYNC_RUNS
from support.chain import jcs

ID = bytes(range(16))
TEXT = "00010203-0405-0607-0809-0a0b0c0d0e0f"
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
HOUR = 3_600_000_000
YEAR_1, YEAR_10000 = -63_082_281_600_000_000, 252_455_616_000_000_000
"""The first microsecond of each of these years."""


def created_at(microseconds: int) -> tuple[bytes, bytes, bytes]:
    return ID, b"x", microseconds.to_bytes(8, signed=True)


def test_values_of_every_column_type_are_read() -> None:
    connection = RowReader(SOURCE_CONNECTIONS).read([ID, ID, ID, b"sheets", "é\n".encode(), b'\1{"b": 1.0}', b"\1"])
    expected = {"id": TEXT, "org_id": TEXT, "project_id": TEXT, "type": "sheets", "name": "é\n", "is_active": True}
    assert connection.row == jcs({**expected, "config_json": {"b": 1}})
    letter = RowReader(DLQ_EVENTS).read([ID, ID, b"\1null", b"pending", (2**31 - 1).to_bytes(4)])
    assert letter.row == jcs(
        {"id": TEXT, "connection_id": TEXT, "payload_json": None, "status": "pending", "retry_count": 2**31 - 1}
    )
    run = RowReader(SYNC_RUNS).read([ID, ID, b"running", bytes(8), None, None])
    assert run.row is not None
    assert orjson.loads(run.row)["started_at"] == "2000-01-01T00:00:00.000000Z"
    assert orjson.loads(run.row)["finished_at"] is None
    assert (connection.odd, letter.odd, run.odd) == ((), (), ())


def test_a_key_is_the_bytes_of_its_uuids() -> None:
    other = bytes(reversed(ID))
    assert RowReader(PROJECT_MEMBERS).read([ID, other, b"viewer", bytes(8)]).key == ID + other


@given(st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 999999)))  # noqa: DTZ001 - a strategy's bounds
def test_times_match_pythons_calendar(naive: datetime) -> None:
    moment = naive.replace(tzinfo=UTC)
    live = RowReader(ORGS).read(created_at((moment - EPOCH) // timedelta(microseconds=1)))
    assert live.odd == ()
    text = moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
    assert live.row == jcs({"id": TEXT, "name": "x", "created_at": text})


@pytest.mark.parametrize(
    ("stored", "text"),
    [
        (2**63 - 1, "infinity"),
        (-(2**63), "-infinity"),
        (YEAR_1, "0001-01-01T00:00:00.000000Z"),
        (YEAR_10000 - 1, "9999-12-31T23:59:59.999999Z"),
    ],
)
def test_infinities_and_the_first_and_last_years_are_hashable(stored: int, text: str) -> None:
    live = RowReader(ORGS).read(created_at(stored))
    assert live == (ID, jcs({"id": TEXT, "name": "x", "created_at": text}), ())


@pytest.mark.parametrize(
    ("stored", "text"),
    [
        (YEAR_10000, "+10000-01-01T00:00:00.000000Z"),
        (YEAR_1 - 1, "+0000-12-31T23:59:59.999999Z"),
        (-211_813_488_000_000_000, "-4713-11-24T00:00:00.000000Z"),
        (9_223_371_331_199_999_999, "+294276-12-31T23:59:59.999999Z"),
    ],
)
def test_a_row_with_another_year_is_unhashable(stored: int, text: str) -> None:
    assert RowReader(ORGS).read(created_at(stored)) == (ID, None, (OddValue("created_at", text),))


def test_a_row_with_an_inexact_number_is_hashable() -> None:
    live = RowReader(DLQ_EVENTS).read([ID, ID, b"\1[9007199254740993]", b"pending", bytes(4)])
    assert live.row is not None
    assert orjson.loads(live.row)["payload_json"] == [9007199254740992]
    assert live.odd == (OddValue("payload_json", "9007199254740993"),)


def test_a_number_beyond_doubles_makes_the_row_unhashable() -> None:
    live = RowReader(DLQ_EVENTS).read([ID, ID, b"\1" + b"9" * 310, b"pending", bytes(4)])
    assert live == (ID, None, (OddValue("payload_json", "a number overflows a double"),))
