"""START_SYNC, COMPLETE_SYNC, FAIL_SYNC and CANCEL_SYNC. test_decide_policies.py tests the alerts that follow."""

from typing import Any

import pytest
from msgspec.structs import replace

from daybook_command.domain.syncs import Run
from daybook_contracts.codes import Code
from daybook_contracts.commands.registry import Command
from daybook_contracts.entries import facts
from daybook_contracts.entries.fields import Fact, free_json
from support.given import ANN, BOB, CAT, command, given, sync_run, thing_id_of
from support.hub_scene import ADS, HUB, SHOP, alert_raised, sync_cancelled, sync_completed, sync_failed, sync_started

IDLE = given(*HUB)
RUNNING = given(*HUB, sync_started(1))
INACTIVE = given(*HUB, sync_started(1), facts.ConnectionDeactivated(connection_id=SHOP))
START = command("START_SYNC", by=ANN, connection_id=SHOP)
ENDS: dict[str, dict[str, Any]] = {"COMPLETE_SYNC": {}, "FAIL_SYNC": {"error_message": "down"}, "CANCEL_SYNC": {}}


def end(type_: str, by: str | None = ANN) -> Command:
    return command(type_, by=by, sync_run_id=sync_run(1), **ENDS[type_])


def test_a_new_run_gets_the_second_id_of_its_entry() -> None:
    after = IDLE.when(START).then(facts.SyncStarted(connection_id=SHOP, sync_run_id=thing_id_of(START))).after()
    assert after.runs[thing_id_of(START)] == Run(SHOP, "running")


def test_a_sync_cannot_start_on_a_deleted_connection() -> None:
    given(*HUB, facts.ConnectionDeleted(connection_id=SHOP)).when(START).then_rejected(Code.CONNECTION_NOT_FOUND)


def test_a_second_running_sync_of_a_connection_is_rejected() -> None:
    RUNNING.when(START).then_rejected(Code.SYNC_ALREADY_RUNNING)


def test_two_connections_can_sync_at_the_same_time() -> None:
    other = command("START_SYNC", by=BOB, connection_id=ADS)
    RUNNING.when(other).then(facts.SyncStarted(connection_id=ADS, sync_run_id=thing_id_of(other)))


@pytest.mark.parametrize("ended", [sync_completed(1), sync_failed(1), sync_cancelled(1)])
def test_a_sync_can_start_after_the_previous_one_ended(ended: Fact) -> None:
    scene = given(*HUB, sync_started(1), ended)
    scene.when(START).then(facts.SyncStarted(connection_id=SHOP, sync_run_id=thing_id_of(START)))


def test_an_inactive_connection_is_reported_before_a_running_sync() -> None:
    INACTIVE.when(START).then_rejected(Code.CONNECTION_INACTIVE)


def test_a_run_can_end_after_its_connection_was_deactivated() -> None:
    INACTIVE.when(end("CANCEL_SYNC")).then(sync_cancelled(1))


@pytest.mark.parametrize("taken", [sync_run(1), sync_run(2)], ids=["in this org", "in another"])
def test_a_taken_id_is_reported_before_an_inactive_connection(taken: str) -> None:
    chosen = command("START_SYNC", connection_id=SHOP, sync_run_id=taken)
    INACTIVE.with_taken(sync_run(2)).when(chosen).then_rejected(Code.ALREADY_EXISTS)


@pytest.mark.parametrize("tried", [START, command("DELETE_CONNECTION", by=ANN, connection_id=SHOP)])
def test_an_activity_that_was_not_loaded_is_a_bug_and_does_not_count_as_idle(tried: Command) -> None:
    assert IDLE.org is not None
    shop = replace(IDLE.org.connections[SHOP], activity=None)
    unknown = replace(IDLE, org=replace(IDLE.org, connections=IDLE.org.connections.set(SHOP, shop)))
    with pytest.raises(LookupError, match="looked up"):
        unknown.when(tried)


def test_the_stats_of_a_completed_run_are_stored_unchanged() -> None:
    stats = {"rows": 3, "by_day": [{"b": 1, "a": None}]}
    done = RUNNING.when(command("COMPLETE_SYNC", sync_run_id=sync_run(1), stats=stats))
    after = done.then(facts.SyncCompleted(connection_id=SHOP, sync_run_id=sync_run(1), stats=free_json(stats))).after()
    assert after.runs[sync_run(1)] == Run(SHOP, "success")


def test_empty_stats_are_stored_too() -> None:
    done = RUNNING.when(command("COMPLETE_SYNC", sync_run_id=sync_run(1), stats={}))
    done.then(facts.SyncCompleted(connection_id=SHOP, sync_run_id=sync_run(1), stats=free_json({})))


def test_a_run_can_complete_without_stats() -> None:
    RUNNING.when(end("COMPLETE_SYNC", by=BOB)).then(sync_completed(1))


def test_a_failed_run_stores_its_error() -> None:
    failing = RUNNING.when(end("FAIL_SYNC", by=None))
    after = failing.then(sync_failed(1), alert_raised("sync_failing", "warning")).after()
    assert after.runs[sync_run(1)] == Run(SHOP, "failed")


def test_a_run_can_be_cancelled_with_or_without_a_reason() -> None:
    reasoned = command("CANCEL_SYNC", by=ANN, sync_run_id=sync_run(1), reason="too slow")
    RUNNING.when(reasoned).then(facts.SyncCancelled(connection_id=SHOP, sync_run_id=sync_run(1), reason="too slow"))
    after = RUNNING.when(end("CANCEL_SYNC")).then(sync_cancelled(1)).after()
    assert after.runs[sync_run(1)] == Run(SHOP, "cancelled")


@pytest.mark.parametrize("type_", ENDS)
@pytest.mark.parametrize(
    "ended", [sync_completed(1), sync_failed(1), sync_cancelled(1)], ids=["success", "failed", "cancelled"]
)
def test_an_ended_run_cannot_end_again(type_: str, ended: Fact) -> None:
    given(*HUB, sync_started(1), ended).when(end(type_)).then_rejected(Code.SYNC_NOT_RUNNING)


@pytest.mark.parametrize("type_", ENDS)
def test_a_run_left_in_the_tables_by_a_deleted_connection_is_not_found(type_: str) -> None:
    assert RUNNING.org is not None
    orphaned = replace(RUNNING.org, connections=RUNNING.org.connections.delete(SHOP))
    replace(RUNNING, org=orphaned).when(end(type_)).then_rejected(Code.SYNC_RUN_NOT_FOUND)


@pytest.mark.parametrize("type_", ENDS)
def test_rights_are_checked_before_the_runs_state(type_: str) -> None:
    given(*HUB, sync_started(1), sync_completed(1)).when(end(type_, by=CAT)).then_rejected(Code.FORBIDDEN)
