"""START_SYNC, COMPLETE_SYNC, FAIL_SYNC and CANCEL_SYNC. What policies add to them is tested beside the policies."""

from dataclasses import replace
from typing import Any

import pytest

from daybook_contracts.codes import Code
from daybook_contracts.commands.registry import Command
from daybook_contracts.entries import facts
from daybook_contracts.entries.fields import free_json
from support.given import ANN, BOB, CAT, IMPORTER, command, connection, given, made_by, sync_run
from support.hub_scene import ADS, HUB, SHOP, cancelled, completed, failed, raised, started

IDLE = given(*HUB)
RUNNING = given(*HUB, started(1))
INACTIVE = given(*HUB, started(1), facts.ConnectionDeactivated(connection_id=SHOP))
START = command("START_SYNC", by=ANN, connection_id=SHOP)
ENDS: dict[str, dict[str, Any]] = {"COMPLETE_SYNC": {}, "FAIL_SYNC": {"error_message": "down"}, "CANCEL_SYNC": {}}


def end(type_: str, by: str | None = ANN, number: int = 1) -> Command:
    return command(type_, by=by, sync_run_id=sync_run(number), **ENDS[type_])


def test_a_sync_starts_with_the_id_of_its_entry() -> None:
    after = IDLE.when(START).then(facts.SyncStarted(connection_id=SHOP, sync_run_id=made_by(START))).after()
    assert after.runs[made_by(START)].status == "running"


def test_a_service_chooses_the_id_of_a_run_also_when_it_acts_for_a_user() -> None:
    chosen = command("START_SYNC", by=BOB, connection_id=SHOP, sync_run_id=sync_run(7))
    IDLE.when(chosen, IMPORTER).then(started(7))


def test_a_user_cannot_choose_the_id_of_a_run() -> None:
    IDLE.when(command("START_SYNC", by=ANN, connection_id=SHOP, sync_run_id=sync_run(7))).then_rejected(Code.FORBIDDEN)


def test_no_sync_starts_on_an_unknown_connection() -> None:
    unknown = command("START_SYNC", by=CAT, connection_id=connection(9))
    IDLE.when(unknown).then_rejected(Code.CONNECTION_NOT_FOUND)


def test_no_sync_starts_on_a_deleted_connection() -> None:
    given(*HUB, facts.ConnectionDeleted(connection_id=SHOP)).when(START).then_rejected(Code.CONNECTION_NOT_FOUND)


def test_a_second_sync_of_a_connection_is_rejected() -> None:
    RUNNING.when(START).then_rejected(Code.SYNC_ALREADY_RUNNING)


def test_connections_sync_side_by_side() -> None:
    other = command("START_SYNC", by=BOB, connection_id=ADS)
    RUNNING.when(other).then(facts.SyncStarted(connection_id=ADS, sync_run_id=made_by(other)))


@pytest.mark.parametrize("ended", [completed(1), failed(1), cancelled(1)])
def test_after_a_run_has_ended_the_next_may_start(
    ended: facts.SyncCompleted | facts.SyncFailed | facts.SyncCancelled,
) -> None:
    scene = given(*HUB, started(1), ended)
    scene.when(START).then(facts.SyncStarted(connection_id=SHOP, sync_run_id=made_by(START)))


def test_no_sync_starts_on_an_inactive_connection_and_that_comes_before_a_running_one() -> None:
    INACTIVE.when(START).then_rejected(Code.CONNECTION_INACTIVE)


def test_a_run_goes_on_after_its_connection_was_deactivated() -> None:
    INACTIVE.when(end("CANCEL_SYNC")).then(cancelled(1))


@pytest.mark.parametrize("taken", [sync_run(1), sync_run(2)], ids=["in this org", "in another"])
def test_a_chosen_id_that_is_taken_exists_already_before_the_connection_is_looked_at(taken: str) -> None:
    chosen = command("START_SYNC", connection_id=SHOP, sync_run_id=taken)
    INACTIVE.with_taken(sync_run(2)).when(chosen).then_rejected(Code.ALREADY_EXISTS)


@pytest.mark.parametrize("tried", [START, command("DELETE_CONNECTION", by=ANN, connection_id=SHOP)])
def test_what_nobody_looked_up_is_a_bug_and_no_idle_connection(tried: Command) -> None:
    assert IDLE.org is not None
    shop = replace(IDLE.org.connections[SHOP], activity=None)
    unknown = replace(IDLE, org=replace(IDLE.org, connections=IDLE.org.connections.set(SHOP, shop)))
    with pytest.raises(LookupError, match="looked up"):
        unknown.when(tried)


def test_a_completed_run_keeps_its_stats_as_they_are() -> None:
    stats = {"rows": 3, "by_day": [{"b": 1, "a": None}]}
    done = RUNNING.when(command("COMPLETE_SYNC", sync_run_id=sync_run(1), stats=stats))
    after = done.then(facts.SyncCompleted(connection_id=SHOP, sync_run_id=sync_run(1), stats=free_json(stats))).after()
    assert after.runs[sync_run(1)].status == "success"


def test_stats_that_are_empty_are_stats() -> None:
    done = RUNNING.when(command("COMPLETE_SYNC", sync_run_id=sync_run(1), stats={}))
    done.then(facts.SyncCompleted(connection_id=SHOP, sync_run_id=sync_run(1), stats=free_json({})))


def test_a_run_completes_without_stats() -> None:
    RUNNING.when(end("COMPLETE_SYNC", by=BOB)).then(completed(1))


def test_a_failed_run_says_why() -> None:
    fell = RUNNING.when(end("FAIL_SYNC", by=None))
    after = fell.then(failed(1), raised("sync_failing", "warning")).after()
    assert after.runs[sync_run(1)].status == "failed"


def test_a_run_is_cancelled_with_a_reason_or_without_one() -> None:
    reasoned = command("CANCEL_SYNC", by=ANN, sync_run_id=sync_run(1), reason="too slow")
    RUNNING.when(reasoned).then(facts.SyncCancelled(connection_id=SHOP, sync_run_id=sync_run(1), reason="too slow"))
    after = RUNNING.when(end("CANCEL_SYNC")).then(cancelled(1)).after()
    assert after.runs[sync_run(1)].status == "cancelled"


@pytest.mark.parametrize("type_", ENDS)
@pytest.mark.parametrize("ended", [completed(1), failed(1), cancelled(1)], ids=["success", "failed", "cancelled"])
def test_what_has_ended_cannot_end_again(
    type_: str, ended: facts.SyncCompleted | facts.SyncFailed | facts.SyncCancelled
) -> None:
    given(*HUB, started(1), ended).when(end(type_)).then_rejected(Code.SYNC_NOT_RUNNING)


@pytest.mark.parametrize("type_", ENDS)
def test_an_unknown_run_is_not_found_before_rights_are_judged(type_: str) -> None:
    RUNNING.when(end(type_, by=CAT, number=9)).then_rejected(Code.SYNC_RUN_NOT_FOUND)


@pytest.mark.parametrize("type_", ENDS)
def test_a_run_that_outlives_its_connection_in_the_tables_is_not_found(type_: str) -> None:
    assert RUNNING.org is not None
    orphaned = replace(RUNNING.org, connections=RUNNING.org.connections.delete(SHOP))
    replace(RUNNING, org=orphaned).when(end(type_)).then_rejected(Code.SYNC_RUN_NOT_FOUND)


@pytest.mark.parametrize("type_", ENDS)
def test_rights_are_judged_before_the_run_s_state(type_: str) -> None:
    given(*HUB, started(1), completed(1)).when(end(type_, by=CAT)).then_rejected(Code.FORBIDDEN)
