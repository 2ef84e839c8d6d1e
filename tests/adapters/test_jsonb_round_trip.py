"""The metadata of an entry survives PostgreSQL's jsonb: if its numbers are read as doubles, the bytes are the same."""

import asyncio
from collections.abc import Callable, Iterator

import asyncpg
import pytest
from hypothesis import HealthCheck, example, given, settings

from daybook_contracts.entries.reading import raw_metadata
from daybook_contracts.json.canonical import canonical_bytes, parse_as_ecmascript
from support.chain import Json
from support.entry_samples import samples, unsealed
from support.flat_entries import seal_flat
from support.json_values import json_objects
from support.stack import FreshSettings

ThroughJsonb = Callable[[bytes], str]


@pytest.fixture(scope="module")
def through_jsonb(lasting_settings: FreshSettings) -> Iterator[ThroughJsonb]:
    """Converts JSON to jsonb and back in PostgreSQL, on one connection with its own event loop."""
    url = lasting_settings(init=False).database_url.get_secret_value()
    with asyncio.Runner() as runner:
        connection = runner.run(asyncpg.connect(url, timeout=10))
        yield lambda value: runner.run(connection.fetchval("SELECT $1::jsonb::text", value.decode(), timeout=10))
        runner.run(connection.close(timeout=10))


def read_back(value: bytes, through_jsonb: ThroughJsonb) -> bytes:
    """The bytes of the record, computed again from the entry's row, as an auditor does."""
    entry = parse_as_ecmascript(value.decode())
    assert isinstance(entry, dict)
    return canonical_bytes(entry | {"metadata_json": parse_as_ecmascript(through_jsonb(raw_metadata(value)))})


@pytest.mark.parametrize("name", samples())
def test_a_sample_round_trips_byte_for_byte(name: str, through_jsonb: ThroughJsonb) -> None:
    value = samples()[name].value
    assert read_back(value, through_jsonb) == value


def without_nul(value: Json) -> bool:
    return b"\\u0000" not in canonical_bytes(value)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=json_objects().filter(without_nul))
@example(data={"n": [1e21, 1e22, 5e-324, 1.7976931348623157e308, -0.0, 1.0, 0.1, 2.0**53, 1e-7, 1e300]})
def test_an_entry_with_any_data_round_trips_byte_for_byte(data: Json, through_jsonb: ThroughJsonb) -> None:
    value = seal_flat(unsealed("RENAME_ORG") | {"data": canonical_bytes(data)}).value
    assert read_back(value, through_jsonb) == value
