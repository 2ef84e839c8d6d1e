"""A shard knows how many dead letters of a connection are pending, whether their entries are projected or not."""

from uuid import UUID

import pytest

from support.fair_weather import FairWeather
from support.one_shard import ANN, ORG

pytestmark = pytest.mark.usefixtures("_small_limits")
PROJECT, CONNECTION = (str(UUID(int=number, version=4)) for number in (0x30, 0x40))
CONNECTED = {"project_id": PROJECT, "connection_id": CONNECTION, "type": "sheet", "name": "c", "config": {}}
LETTERS = [str(UUID(int=0x50 + number, version=4)) for number in range(8)]


@pytest.fixture
def world() -> FairWeather:
    """A connection with eight pending dead letters, all projected to the tables."""
    made = FairWeather()
    made.decide("CREATE_ORG", ANN, name="x")
    made.decide("CREATE_PROJECT", ANN, name="p", project_id=PROJECT)
    made.decide("CREATE_CONNECTION", ANN, **CONNECTED)
    for id_ in LETTERS:
        made.decide("RECORD_DLQ_EVENT", connection_id=CONNECTION, dlq_event_id=id_, payload=1)
    made.project()
    made.replace_first()
    return made


def resolved(world: FairWeather, *letters: str) -> list[str]:
    """Resolves these dead letters, one by one; returns the actions of all entries."""
    results = [world.decide("RESOLVE_DLQ_EVENT", dlq_event_id=id_, resolution="manual") for id_ in letters]
    entries = [entry for result in results for entry in result]
    assert {entry.result for entry in entries} == {"success"}
    return [entry.action for entry in entries]


def test_only_the_last_dead_letter_resolves_the_backlog_alert(world: FairWeather) -> None:
    assert resolved(world, *LETTERS) == ["RESOLVE_DLQ_EVENT"] * 8 + ["RESOLVE_ALERT"]


def test_dead_letters_resolved_in_the_tail_are_not_counted_after_a_takeover(world: FairWeather) -> None:
    resolved(world, *LETTERS[:6])
    world.replace_first()
    assert resolved(world, LETTERS[6]) == ["RESOLVE_DLQ_EVENT"]
    assert resolved(world, LETTERS[7]) == ["RESOLVE_DLQ_EVENT", "RESOLVE_ALERT"]


def test_a_connection_that_reuses_a_deleted_id_has_none_of_the_old_dead_letters(world: FairWeather) -> None:
    world.decide("DELETE_CONNECTION", ANN, connection_id=CONNECTION)
    world.decide("CREATE_CONNECTION", ANN, **CONNECTED)
    entry = world.decide("RESOLVE_DLQ_EVENTS", connection_id=CONNECTION, filter={}, resolution="manual")[0]
    assert b'"changed":false' in bytes(entry.metadata_json.data)
    assert b'"remaining":0' in bytes(entry.metadata_json.data)


def test_dead_letters_leave_memory_when_they_are_projected(world: FairWeather) -> None:
    for id_ in LETTERS:
        world.decide("RETRY_DLQ_EVENT", dlq_event_id=id_)
    touched = world.shard.memory.cache.orgs[ORG].org
    assert touched is not None
    assert set(touched.dead_letters) == set(LETTERS)
    world.project_and_forget()
    settled = world.shard.memory.cache.orgs[ORG].org
    assert settled is not None
    assert not settled.dead_letters
