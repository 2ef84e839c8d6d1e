"""A shard reads a connection's activity once, and then keeps it up to date with the head of its log."""

import json
from collections.abc import Mapping
from uuid import UUID

import pytest

from daybook_command.domain.activity import Activity
from support.fair_weather import FairWeather
from support.one_shard import ANN, ORG
from support.recounted import ACTIVITY

PROJECT, CONNECTION, FIRST, SECOND, THIRD = (str(UUID(int=0x10 * number, version=4)) for number in range(3, 8))
CONNECTED = {"project_id": PROJECT, "connection_id": CONNECTION, "type": "sheet", "name": "c", "config": {}}


@pytest.fixture
def world() -> FairWeather:
    """A connection with a running run and a pending dead letter, all projected. The shard knows nothing of it yet."""
    made = FairWeather()
    made.decide("CREATE_ORG", ANN, name="x")
    made.decide("CREATE_PROJECT", ANN, name="p", project_id=PROJECT)
    made.decide("CREATE_CONNECTION", ANN, **CONNECTED)
    record(made, FIRST)
    made.decide("START_SYNC", connection_id=CONNECTION, sync_run_id=SECOND)
    made.project()
    made.replace_first()
    return made


def record(world: FairWeather, letter_id: str) -> list[str]:
    entries = world.decide("RECORD_DLQ_EVENT", connection_id=CONNECTION, dlq_event_id=letter_id, payload=1)
    return [entry.action for entry in entries]


def kept(world: FairWeather) -> Activity:
    org = world.shard.memory.cache.orgs[ORG].org
    assert org is not None
    activity = org.connections[CONNECTION].activity
    assert activity is not None
    return activity


def stored(world: FairWeather) -> dict[tuple[object, ...], Mapping[str, object]]:
    rows: dict[tuple[object, ...], Mapping[str, object]] = world.around.postgres.now.rows.rows[ACTIVITY]  # type: ignore[assignment]  # a wider type
    return rows


def plant(world: FairWeather, **changes: object) -> None:
    stored(world)[CONNECTION,] = {**stored(world)[CONNECTION,], **changes}


def test_the_activity_is_read_with_the_org_and_changed_by_every_later_entry(world: FairWeather) -> None:
    record(world, SECOND)
    assert (kept(world).pending, kept(world).running, kept(world).failures) == (2, SECOND, 0)
    world.decide("FAIL_SYNC", sync_run_id=SECOND, error_message="down")
    world.decide("RESOLVE_DLQ_EVENTS", connection_id=CONNECTION, ids=[FIRST, SECOND], resolution="manual")
    assert (kept(world).pending, kept(world).running, kept(world).failures) == (0, None, 1)


def test_the_row_is_not_read_again_while_the_cached_org_has_it(world: FairWeather) -> None:
    record(world, SECOND)
    plant(world, pending=70)
    world.project_and_forget()
    record(world, THIRD)
    assert kept(world).pending == 3


def test_only_entries_after_the_checkpoint_are_added_to_the_row(world: FairWeather) -> None:
    record(world, SECOND)
    world.project()
    record(world, THIRD)
    plant(world, pending=70)
    world.replace_first()
    world.decide("RETRY_DLQ_EVENT", dlq_event_id=FIRST)
    assert kept(world).pending == 71


def test_a_new_generation_drops_the_activity(world: FairWeather) -> None:
    record(world, SECOND)
    world.project()
    plant(world, pending=70)
    world.around.postgres.now.quarantine[ORG] = (2, False)
    record(world, THIRD)
    assert kept(world).pending == 71


@pytest.mark.parametrize("knows", [True, False], ids=["in the cached org", "after a takeover"])
def test_the_row_of_a_connection_remade_in_the_tail_is_ignored(world: FairWeather, *, knows: bool) -> None:
    world.decide("CANCEL_SYNC", sync_run_id=SECOND)
    world.project_and_forget()
    world.decide("DELETE_CONNECTION", ANN, connection_id=CONNECTION)
    world.decide("CREATE_CONNECTION", ANN, **CONNECTED)
    plant(world, pending=70, failed_in_a_row=2, running_run_id=SECOND)
    if not knows:
        world.replace_first()
    recorded = world.decide("RECORD_DLQ_EVENT", connection_id=CONNECTION, payload=1)
    assert [entry.action for entry in recorded] == ["RECORD_DLQ_EVENT", "RAISE_ALERT"]
    assert (kept(world).pending, kept(world).running, kept(world).failures) == (1, None, 0)


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("RECORD_DLQ_EVENT", {"connection_id": CONNECTION, "payload": 1}),
        ("RESOLVE_DLQ_EVENT", {"dlq_event_id": FIRST, "resolution": "manual"}),
        ("START_SYNC", {"connection_id": CONNECTION}),
        ("COMPLETE_SYNC", {"sync_run_id": SECOND}),
        ("DELETE_CONNECTION", {"connection_id": CONNECTION}),
    ],
)
def test_a_missing_row_is_a_fault_and_not_zero(world: FairWeather, kind: str, data: dict[str, object]) -> None:
    del stored(world)[CONNECTION,]
    assert world.decide(kind, ANN, **data) == []
    (answer,) = world.around.answers[str(len(world.sent) - 1).encode()]
    assert json.loads(answer)["code"] == "INTERNAL"
    assert [entry.action for entry in world.decide("RENAME_ORG", ANN, name="y")] == ["RENAME_ORG"]
