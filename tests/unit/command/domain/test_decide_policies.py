"""The alerts that policies raise, escalate and resolve after a command: one per connection and rule."""

from typing import Any

import pytest
from msgspec.structs import replace

from daybook_contracts.commands.registry import Command
from daybook_contracts.entries import facts
from daybook_contracts.entries.fields import Fact
from daybook_contracts.senders.principals import DAYBOOK
from support.given import ANN, BOB, Given, alert, command, dead_letter, given, sync_run, thing_id_of
from support.hub_scene import (
    ADS,
    APP,
    BLOG,
    HUB,
    SHOP,
    WEB,
    alert_escalated,
    alert_raised,
    letter_recorded,
    letter_resolved,
    resolved_by_policy,
    resolved_by_user,
    sync_cancelled,
    sync_completed,
    sync_failed,
    sync_started,
)

FAILING, FAILING_BADLY = alert_raised("sync_failing", "warning"), alert_raised("sync_failing", "critical")
BACKLOG, LONG_BACKLOG = alert_raised("dlq_backlog", "warning"), alert_raised("dlq_backlog", "critical")
STALLED = alert_raised("sync_stalled", "critical")
ONE_FAILED: tuple[Fact, ...] = (sync_started(1), sync_failed(1), FAILING)
TWO_FAILED: tuple[Fact, ...] = (*ONE_FAILED, sync_started(2), sync_failed(2))


def fail(number: int) -> Command:
    return command("FAIL_SYNC", by=BOB, sync_run_id=sync_run(number), error_message="down")


def complete(number: int) -> Command:
    return command("COMPLETE_SYNC", by=BOB, sync_run_id=sync_run(number))


def time_out(number: int) -> Command:
    return command("FAIL_SYNC", sync_run_id=sync_run(number), error_message="TIMED_OUT")


def record(number: int) -> Command:
    letter: dict[str, Any] = {"dlq_event_id": dead_letter(number), "payload": {"n": number}}
    return command("RECORD_DLQ_EVENT", connection_id=SHOP, **letter)


def with_pending(pending: int, *history: Fact) -> Given:
    """SHOP with `pending` pending dead letters. Only those in `history` are loaded."""
    scene = given(*HUB, *history)
    assert scene.org is not None
    shop = scene.org.connections[SHOP]
    assert shop.activity is not None
    busy = replace(shop, activity=replace(shop.activity, pending=pending))
    return replace(scene, org=replace(scene.org, connections=scene.org.connections.set(SHOP, busy)))


def test_a_failed_run_raises_a_warning() -> None:
    given(*HUB, sync_started(1)).when(fail(1)).then(sync_failed(1), FAILING)


def test_a_second_failed_run_leaves_the_warning_unchanged() -> None:
    given(*HUB, *ONE_FAILED, sync_started(2)).when(fail(2)).then(sync_failed(2))


def test_the_third_failed_run_in_a_row_makes_the_alert_critical() -> None:
    given(*HUB, *TWO_FAILED, sync_started(3)).when(fail(3)).then(sync_failed(3), alert_escalated("sync_failing"))


def test_further_failed_runs_leave_the_critical_alert_unchanged() -> None:
    scene = given(*HUB, *TWO_FAILED, sync_started(3), sync_failed(3), alert_escalated("sync_failing"), sync_started(4))
    scene.when(fail(4)).then(sync_failed(4))


def test_a_cancelled_run_neither_counts_as_failed_nor_resets_the_count() -> None:
    scene = given(
        *HUB, *ONE_FAILED, sync_started(2), sync_cancelled(2), sync_started(3), sync_failed(3), sync_started(4)
    )
    scene.when(fail(4)).then(sync_failed(4), alert_escalated("sync_failing"))
    cancel = command("CANCEL_SYNC", by=BOB, sync_run_id=sync_run(2))
    given(*HUB, *ONE_FAILED, sync_started(2)).when(cancel).then(sync_cancelled(2))


def test_a_success_resets_the_count_and_resolves_the_alert() -> None:
    given(*HUB, *TWO_FAILED, sync_started(3)).when(complete(3)).then(
        sync_completed(3), resolved_by_policy("sync_failing")
    )
    scene = given(
        *HUB, *TWO_FAILED, sync_started(3), sync_completed(3), resolved_by_policy("sync_failing"), sync_started(4)
    )
    scene.when(fail(4)).then(sync_failed(4), FAILING)


def test_a_success_without_an_open_alert_resolves_nothing() -> None:
    given(*HUB, sync_started(1)).when(complete(1)).then(sync_completed(1))


def test_a_critical_alert_is_never_lowered_to_a_warning() -> None:
    given(*HUB, FAILING_BADLY, sync_started(1)).when(fail(1)).then(sync_failed(1))
    given(*HUB, LONG_BACKLOG).when(record(1)).then(letter_recorded(1))


@pytest.mark.parametrize(("before", "again"), [(ONE_FAILED, FAILING), (TWO_FAILED, FAILING_BADLY)])
def test_an_alert_that_a_user_resolved_is_raised_again_by_the_next_failure(
    before: tuple[Fact, ...], again: facts.AlertRaised
) -> None:
    scene = given(*HUB, *before, resolved_by_user("sync_failing"), sync_started(9))
    scene.when(fail(9)).then(sync_failed(9), again)


def test_each_connection_has_its_own_alerts() -> None:
    scene = given(*HUB, *ONE_FAILED, sync_started(5, of=BLOG))
    by_service = command("FAIL_SYNC", sync_run_id=sync_run(5), error_message="down")
    scene.when(by_service).then(
        sync_failed(5, of=BLOG), alert_raised("sync_failing", "warning", of=BLOG, project_id=APP)
    )


def test_a_run_that_daybook_times_out_raises_the_failing_and_the_stalled_alert() -> None:
    outcome = given(*HUB, sync_started(1)).when(time_out(1), DAYBOOK)
    outcome.then(sync_failed(1, message="TIMED_OUT"), FAILING, STALLED)


def test_a_stalled_run_counts_as_a_failed_one() -> None:
    outcome = given(*HUB, *TWO_FAILED, sync_started(3)).when(time_out(3), DAYBOOK)
    outcome.then(sync_failed(3, message="TIMED_OUT"), alert_escalated("sync_failing"), STALLED)


def test_only_daybook_itself_raises_the_stalled_alert() -> None:
    given(*HUB, sync_started(1)).when(time_out(1)).then(sync_failed(1, message="TIMED_OUT"), FAILING)


def test_a_second_stalled_run_leaves_the_open_alerts_unchanged() -> None:
    scene = given(*HUB, sync_started(1), sync_failed(1, message="TIMED_OUT"), FAILING, STALLED, sync_started(2))
    scene.when(time_out(2), DAYBOOK).then(sync_failed(2, message="TIMED_OUT"))


def test_a_success_resolves_both_sync_alerts_in_rule_order() -> None:
    scene = given(
        *HUB, sync_started(1), sync_failed(1, message="TIMED_OUT"), STALLED, FAILING, BACKLOG, sync_started(2)
    )
    scene.when(complete(2)).then(
        sync_completed(2), resolved_by_policy("sync_failing"), resolved_by_policy("sync_stalled")
    )


def test_only_the_first_pending_dead_letter_raises_a_warning() -> None:
    given(*HUB).when(record(1)).then(letter_recorded(1), BACKLOG)
    given(*HUB, letter_recorded(1), BACKLOG).when(record(2)).then(letter_recorded(2))


def test_the_hundredth_pending_dead_letter_makes_the_alert_critical() -> None:
    with_pending(98, BACKLOG).when(record(1)).then(letter_recorded(1))
    with_pending(99, BACKLOG).when(record(1)).then(letter_recorded(1), alert_escalated("dlq_backlog"))
    with_pending(100, LONG_BACKLOG).when(record(1)).then(letter_recorded(1))


@pytest.mark.parametrize(("pending", "again"), [(50, BACKLOG), (101, LONG_BACKLOG)])
def test_a_backlog_alert_that_a_user_resolved_is_raised_again_by_the_next_dead_letter(
    pending: int, again: facts.AlertRaised
) -> None:
    with_pending(pending).when(record(1)).then(letter_recorded(1), again)


def test_a_retry_raises_no_alert() -> None:
    scene = given(*HUB, letter_recorded(1))
    retried = facts.DlqEventRetried(connection_id=SHOP, dlq_event_id=dead_letter(1), retry_count=1)
    scene.when(command("RETRY_DLQ_EVENT", dlq_event_id=dead_letter(1))).then(retried)


def test_the_backlog_alert_is_resolved_when_no_dead_letter_is_pending() -> None:
    resolve = command("RESOLVE_DLQ_EVENT", by=BOB, dlq_event_id=dead_letter(1), resolution="manual")
    given(*HUB, letter_recorded(1), BACKLOG).when(resolve).then(letter_resolved(1), resolved_by_policy("dlq_backlog"))
    given(*HUB, letter_recorded(1), BACKLOG, letter_recorded(2)).when(resolve).then(letter_resolved(1))
    given(*HUB, letter_recorded(1), BACKLOG, resolved_by_user("dlq_backlog")).when(resolve).then(letter_resolved(1))


def test_the_backlog_alert_stays_open_while_dead_letters_are_left() -> None:
    scene = with_pending(101, letter_recorded(1), LONG_BACKLOG)
    everything = command("RESOLVE_DLQ_EVENTS", connection_id=SHOP, filter={}, resolution="manual")
    some = facts.DlqEventsResolved(
        connection_id=SHOP, filter=facts.DlqFilter(), ids=(dead_letter(1),), remaining=10_001, resolution="manual"
    )
    scene.with_unread_matches(10_001).when(everything).then(some)


def test_deleting_a_connection_resolves_its_policy_alerts_and_no_others() -> None:
    manual = facts.AlertRaised(alert_id=alert(1), connection_id=SHOP, message="m", project_id=WEB, severity="info")
    elsewhere = alert_raised("dlq_backlog", "warning", of=ADS)
    scene = given(*HUB, STALLED, manual, BACKLOG, elsewhere, FAILING)
    outcome = scene.when(command("DELETE_CONNECTION", by=ANN, connection_id=SHOP))
    gone = facts.ConnectionDeleted(connection_id=SHOP)
    after = outcome.then(
        gone,
        resolved_by_policy("sync_failing"),
        resolved_by_policy("dlq_backlog"),
        resolved_by_policy("sync_stalled"),
    ).after()
    assert set(after.alerts) == {manual.alert_id, elsewhere.alert_id}


def test_starting_a_sync_resolves_no_alert() -> None:
    start = command("START_SYNC", by=BOB, connection_id=SHOP)
    begun = facts.SyncStarted(connection_id=SHOP, sync_run_id=thing_id_of(start))
    given(*HUB, *ONE_FAILED, STALLED).when(start).then(begun)


def test_policy_entries_are_marked_as_such_and_have_no_actor() -> None:
    own, policy = given(*HUB, sync_started(1)).when(fail(1)).entries()
    assert (own.actor_user_id, own.by_policy) == (BOB, False)
    assert (policy.actor_user_id, policy.by_policy) == (None, True)
    assert (policy.entity_type, policy.entity_id, policy.project_id) == ("integration_alert", FAILING.alert_id, WEB)
