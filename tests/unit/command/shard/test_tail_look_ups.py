"""If a thing is only in the shard's tail, because its entry is not projected yet, the rows that belong to it are still
loaded.
"""

from uuid import UUID

from support.fair_weather import FairWeather
from support.one_shard import ANN

PROJECT, CONNECTION, FIRST, SECOND = (str(UUID(int=0x10 * n, version=4)) for n in range(3, 7))


def test_the_alert_of_a_run_known_only_to_the_tail_is_looked_up() -> None:
    world = FairWeather()
    world.decide("CREATE_ORG", ANN, name="a")
    world.decide("CREATE_PROJECT", ANN, name="p", project_id=PROJECT)
    connection = {"project_id": PROJECT, "connection_id": CONNECTION, "type": "sheet", "name": "c", "config": {}}
    world.decide("CREATE_CONNECTION", ANN, **connection)
    world.decide("START_SYNC", connection_id=CONNECTION, sync_run_id=FIRST)
    failed = world.decide("FAIL_SYNC", sync_run_id=FIRST, error_message="down")
    assert [entry.action for entry in failed] == ["FAIL_SYNC", "RAISE_ALERT"]
    world.project_and_forget()
    world.decide("START_SYNC", connection_id=CONNECTION, sync_run_id=SECOND)
    again = world.decide("FAIL_SYNC", sync_run_id=SECOND, error_message="down")
    assert [entry.action for entry in again] == ["FAIL_SYNC"]
