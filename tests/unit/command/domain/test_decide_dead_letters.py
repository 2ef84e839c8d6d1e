"""RECORD_DLQ_EVENT, RETRY_DLQ_EVENT and RESOLVE_DLQ_EVENT: dead letters, one at a time."""

from typing import Any

import pytest
from msgspec import structs
from msgspec.structs import replace

from daybook_contracts.codes import Code
from daybook_contracts.commands.registry import Command
from daybook_contracts.entries import facts
from daybook_contracts.entries.fields import Resolution, free_json
from daybook_contracts.limits import RETRY_COUNT
from support.given import ANN, BOB, CAT, command, dead_letter, given, thing_id_of
from support.hub_scene import HUB, SHOP, alert_raised, letter_recorded, letter_resolved, resolved_by_policy

EMPTY = given(*HUB)
WARNING = alert_raised("dlq_backlog", "warning")
PENDING = given(*HUB, letter_recorded(1), WARNING, letter_recorded(2))
RETRY = command("RETRY_DLQ_EVENT", by=BOB, dlq_event_id=dead_letter(1))


def retried(count: int) -> facts.DlqEventRetried:
    return facts.DlqEventRetried(connection_id=SHOP, dlq_event_id=dead_letter(1), retry_count=count)


def resolve(by: str | None = BOB, resolution: Resolution = "manual", **data: Any) -> Command:
    return command("RESOLVE_DLQ_EVENT", by=by, dlq_event_id=dead_letter(1), resolution=resolution, **data)


@pytest.mark.parametrize("payload", [{"b": 1, "a": [None]}, [], "not JSON <", 0, None])
def test_any_payload_is_stored_including_null(payload: object) -> None:
    record = command("RECORD_DLQ_EVENT", connection_id=SHOP, payload=payload)
    kept = facts.DlqEventRecorded(connection_id=SHOP, dlq_event_id=thing_id_of(record), payload=free_json(payload))
    EMPTY.when(record).then(kept, WARNING)


def test_a_dead_letter_stores_its_error_and_starts_pending() -> None:
    record = command("RECORD_DLQ_EVENT", by=BOB, connection_id=SHOP, payload={"n": 3}, error="no such order")
    id_ = thing_id_of(record)
    kept = structs.replace(letter_recorded(3), dlq_event_id=id_, error="no such order")
    after = PENDING.when(record).then(kept).after()
    assert (after.dead_letters[id_].pending, after.dead_letters[id_].retry_count) == (True, 0)


def test_an_inactive_connection_accepts_dead_letters() -> None:
    scene = given(*HUB, facts.ConnectionDeactivated(connection_id=SHOP))
    record = command("RECORD_DLQ_EVENT", connection_id=SHOP, payload={"n": 5}, dlq_event_id=dead_letter(5))
    scene.when(record).then(letter_recorded(5), WARNING)


def test_each_retry_increments_the_count() -> None:
    PENDING.when(RETRY).then(retried(1))
    given(*HUB, letter_recorded(1), retried(6)).when(RETRY).then(retried(7))


def test_a_dead_letter_can_be_retried_only_up_to_the_limit() -> None:
    given(*HUB, letter_recorded(1), retried(RETRY_COUNT - 1)).when(RETRY).then(retried(RETRY_COUNT))
    given(*HUB, letter_recorded(1), retried(RETRY_COUNT)).when(RETRY).then_rejected(Code.LIMIT_REACHED)


def test_a_bulk_retry_increments_the_same_count() -> None:
    bulk = facts.DlqEventsRetried(connection_id=SHOP, ids=(dead_letter(1),))
    given(*HUB, letter_recorded(1), bulk).when(RETRY).then(retried(2))


@pytest.mark.parametrize("resolution", ["replayed", "manual", "duplicate", "discarded"])
def test_a_dead_letter_is_resolved_in_one_of_four_ways(resolution: Resolution) -> None:
    outcome = PENDING.when(resolve(resolution=resolution))
    ended = facts.DlqEventResolved(connection_id=SHOP, dlq_event_id=dead_letter(1), resolution=resolution)
    after = outcome.then(ended).after()
    assert not after.dead_letters[dead_letter(1)].pending


def test_a_resolution_may_have_a_reason() -> None:
    PENDING.when(resolve(reason="sent by mail")).then(structs.replace(letter_resolved(1), reason="sent by mail"))


def test_resolving_the_last_pending_dead_letter_resolves_the_alert() -> None:
    scene = given(*HUB, letter_recorded(1), WARNING)
    scene.when(resolve(by=None)).then(letter_resolved(1), resolved_by_policy("dlq_backlog"))


def test_a_resolved_dead_letter_cannot_be_resolved_or_retried() -> None:
    scene = given(*HUB, letter_recorded(1), retried(RETRY_COUNT), letter_resolved(1))
    scene.when(resolve()).then_rejected(Code.DLQ_EVENT_RESOLVED)
    scene.when(RETRY).then_rejected(Code.DLQ_EVENT_RESOLVED)


def test_rights_are_checked_before_the_dead_letters_state() -> None:
    given(*HUB, letter_recorded(1), letter_resolved(1)).when(resolve(CAT)).then_rejected(Code.FORBIDDEN)


def test_deleting_a_connection_deletes_its_dead_letters() -> None:
    scene = given(*HUB, letter_recorded(1), facts.ConnectionDeleted(connection_id=SHOP))
    scene.when(resolve(ANN)).then_rejected(Code.DLQ_EVENT_NOT_FOUND)
    scene.when(RETRY).then_rejected(Code.DLQ_EVENT_NOT_FOUND)


def test_a_dead_letter_left_in_the_tables_by_a_deleted_connection_is_not_found() -> None:
    assert PENDING.org is not None
    orphaned = replace(PENDING.org, connections=PENDING.org.connections.delete(SHOP))
    replace(PENDING, org=orphaned).when(RETRY).then_rejected(Code.DLQ_EVENT_NOT_FOUND)
