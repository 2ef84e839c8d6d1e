"""Folding the hub's entries into an org: connections, runs, dead letters, alerts and secret references."""

from hashlib import sha256

import pytest
from msgspec.structs import replace

from daybook_command.domain.activity import Activity
from daybook_command.domain.alerts import Alert
from daybook_command.domain.connections import Connection
from daybook_command.domain.dead_letters import DeadLetter
from daybook_command.domain.evolve import NotFoldable, evolve
from daybook_command.domain.state import Org
from daybook_contracts.entries import facts
from daybook_contracts.entries.fields import Fact, free_json
from support.given import alert, connection, dead_letter, fold, secret_ref, sync_run
from support.hub_scene import (
    ADS,
    HUB,
    SHOP,
    WEB,
    alert_escalated,
    alert_raised,
    letter_recorded,
    letter_resolved,
    resolved_by_policy,
    sync_cancelled,
    sync_completed,
    sync_failed,
    sync_started,
)

KEYED = free_json({"secrets": {"token": "shop key", "hook": "hook key"}, "depth": 1})
BULK = facts.DlqEventsResolved(connection_id=SHOP, ids=(dead_letter(1), dead_letter(2)), resolution="manual")


def after(*history: Fact) -> Org:
    org = fold([*HUB, *history])
    assert org is not None
    return org


def shop(org: Org) -> Connection:
    return org.connections[SHOP]


def activity(*history: Fact) -> Activity:
    known = shop(after(*history)).activity
    assert known is not None
    return known


def without_activity(org: Org) -> Org:
    """The org while SHOP's activity is not loaded."""
    return replace(org, connections=org.connections.set(SHOP, replace(shop(org), activity=None)))


def folded(org: Org, *history: Fact) -> Org:
    for fact in history:
        org = evolve(org, None, fact)
    return org


def test_a_new_config_replaces_the_old_one_and_its_key_names() -> None:
    rekeyed = facts.ConnectionUpdated(connection_id=SHOP, config=free_json({"secrets": {"token": "other key"}}))
    changed = shop(after(facts.ConnectionUpdated(connection_id=SHOP, config=KEYED), rekeyed))
    assert changed.activity is not None
    assert (changed.key_names, changed.name) == (frozenset({"other key"}), shop(after()).name)
    assert changed.activity.config == sha256(b'{"secrets":{"token":"other key"}}').digest()


def test_a_new_config_keeps_the_running_sync_and_the_pending_count() -> None:
    busy = activity(sync_started(1), letter_recorded(1), facts.ConnectionUpdated(connection_id=SHOP, config=KEYED))
    assert (busy.running, busy.pending) == (sync_run(1), 1)


def test_deleting_a_connection_deletes_only_its_own_runs_and_dead_letters() -> None:
    others = (sync_started(2, of=ADS), letter_recorded(2, of=ADS))
    org = after(sync_started(1), sync_completed(1), letter_recorded(1), alert_raised("dlq_backlog", "warning"), *others)
    left = folded(org, facts.ConnectionDeleted(connection_id=SHOP))
    assert SHOP not in left.connections
    assert (set(left.runs), set(left.dead_letters)) == ({sync_run(2)}, {dead_letter(2)})
    assert left.alerts == org.alerts


def test_failed_runs_in_a_row_are_counted() -> None:
    history: list[Fact] = []
    counts = []
    for number, end in enumerate(
        (
            sync_failed(0),
            sync_failed(1),
            sync_cancelled(2),
            sync_failed(3),
            sync_failed(4),
            sync_completed(5),
            sync_failed(6),
        )
    ):
        history += [sync_started(number), end]
        counts.append(activity(*history).failures)
    assert counts == [1, 2, 2, 3, 4, 0, 1]


def test_pending_dead_letters_are_counted() -> None:
    assert activity(letter_recorded(1), letter_recorded(2), letter_recorded(3, of=ADS)).pending == 2
    assert activity(letter_recorded(1), letter_recorded(2), letter_resolved(1)).pending == 1


def test_a_bulk_resolution_subtracts_the_dead_letters_that_it_lists() -> None:
    org = after(letter_recorded(1), letter_recorded(2), letter_recorded(3))
    left = shop(folded(org, BULK)).activity
    assert left is not None
    assert left.pending == 1


def test_an_activity_that_was_not_looked_up_does_not_count_as_zero() -> None:
    org = after(letter_recorded(1), letter_recorded(2))
    unknown = replace(org, connections=org.connections.set(SHOP, replace(shop(org), activity=None)))
    with pytest.raises(NotFoldable):
        folded(unknown, BULK)


def test_single_and_bulk_retries_are_counted() -> None:
    once = facts.DlqEventRetried(connection_id=SHOP, dlq_event_id=dead_letter(1), retry_count=1)
    both = facts.DlqEventsRetried(connection_id=SHOP, ids=(dead_letter(1), dead_letter(2)))
    letters = after(letter_recorded(1), letter_recorded(2), once, both, letter_resolved(2)).dead_letters
    assert letters[dead_letter(1)] == DeadLetter(SHOP, pending=True, retry_count=2)
    assert letters[dead_letter(2)] == DeadLetter(SHOP, pending=False, retry_count=1)


@pytest.mark.parametrize("fact", [sync_started(1), letter_recorded(1)], ids=lambda fact: type(fact).__name__)
def test_an_entry_that_changes_an_unknown_activity_cannot_be_folded(fact: Fact) -> None:
    with pytest.raises(NotFoldable):
        folded(without_activity(after()), fact)


def test_an_entry_that_needs_no_activity_is_folded_without_it() -> None:
    told = (facts.ConnectionUpdated(connection_id=SHOP, config=KEYED), facts.ConnectionDeactivated(connection_id=SHOP))
    assert folded(without_activity(after()), *told) == without_activity(after(*told))


def test_an_alert_is_raised_escalated_and_resolved() -> None:
    warning, critical = alert_raised("sync_failing", "warning"), alert_escalated("sync_failing")
    assert dict(after(warning).alerts) == {warning.alert_id: Alert(WEB, "warning")}
    assert dict(after(warning, critical).alerts) == {warning.alert_id: Alert(WEB, "critical")}
    assert not after(warning, critical, resolved_by_policy("sync_failing")).alerts


@pytest.mark.parametrize(
    "fact",
    [
        facts.ConnectionUpdated(connection_id=connection(9), name="New"),
        facts.ConnectionActivated(connection_id=connection(9)),
        facts.ConnectionDeactivated(connection_id=connection(9)),
        facts.ConnectionDeleted(connection_id=connection(9)),
        sync_started(1, of=connection(9)),
        sync_completed(9),
        letter_recorded(1, of=connection(9)),
        letter_resolved(9),
        facts.DlqEventRetried(connection_id=SHOP, dlq_event_id=dead_letter(9), retry_count=1),
        facts.DlqEventsRetried(connection_id=SHOP, ids=(dead_letter(9),)),
        facts.DlqEventsResolved(connection_id=SHOP, ids=(dead_letter(9),), resolution="manual"),
        facts.AlertResolved(alert_id=alert(9)),
        facts.AlertEscalated(
            alert_id=alert(9), connection_id=SHOP, message="m", rule="sync_failing", severity="critical"
        ),
        facts.SecretRefRotated(secret_ref_id=secret_ref(9), secret_id_ref="env:NEW"),
        facts.SecretRefDeleted(secret_ref_id=secret_ref(9)),
    ],
    ids=lambda fact: type(fact).__name__,
)
def test_a_hub_entry_that_names_something_missing_cannot_be_folded(fact: Fact) -> None:
    with pytest.raises(NotFoldable, match="that the org does not have"):
        after(fact)
