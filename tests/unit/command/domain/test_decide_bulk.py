"""RETRY_DLQ_EVENTS and RESOLVE_DLQ_EVENTS: one entry for many dead letters of one connection."""

from typing import Any

import pytest
from msgspec import UNSET
from msgspec.structs import replace

from daybook_command.domain.dead_letters import DeadLetter
from daybook_contracts.codes import Code
from daybook_contracts.commands.registry import Command
from daybook_contracts.entries.facts import DlqEventRetried, DlqEventsResolved, DlqEventsRetried, DlqFilter
from daybook_contracts.limits import BULK_IDS, RETRY_COUNT
from support.given import ANN, BOB, CAT, DAN, Given, command, dead_letter, given
from support.hub_scene import (
    ADS,
    BLOG,
    HUB,
    SHOP,
    alert_raised,
    letter_recorded,
    letter_resolved,
    resolved_by_policy,
)

ONE, TWO, THREE, FOUR = (dead_letter(number) for number in range(1, 5))
SCENE = given(
    *HUB,
    letter_recorded(1),
    alert_raised("dlq_backlog", "warning"),
    *(letter_recorded(number) for number in (2, 3, 4)),
    letter_resolved(4),
    DlqEventRetried(connection_id=SHOP, dlq_event_id=TWO, retry_count=5),
    letter_recorded(11, of=ADS),
)
"""SHOP has three pending dead letters, one of them retried five times, and one resolved; ADS has one pending."""

EVERYTHING = DlqFilter()


def retry(by: str | None = BOB, of: str = SHOP, **data: Any) -> Command:
    return command("RETRY_DLQ_EVENTS", by=by, connection_id=of, **data)


def resolve(by: str | None = BOB, of: str = SHOP, **data: Any) -> Command:
    return command("RESOLVE_DLQ_EVENTS", by=by, connection_id=of, resolution="discarded", **data)


def with_more_pending(count: int) -> Given:
    """The scene with `count` more pending dead letters of SHOP."""
    assert SCENE.org is not None
    extra = {dead_letter(1000 + number): DeadLetter(SHOP, pending=True, retry_count=0) for number in range(count)}
    shop = SCENE.org.connections[SHOP]
    assert shop.activity is not None
    busy = replace(shop, activity=replace(shop.activity, pending=3 + count))
    org = SCENE.org
    letters, connections = org.dead_letters.update(extra), org.connections.set(SHOP, busy)
    return replace(SCENE, org=replace(org, dead_letters=letters, connections=connections))


def test_named_dead_letters_are_retried_once_each_in_id_order() -> None:
    after = SCENE.when(retry(ids=[THREE, ONE])).then(DlqEventsRetried(connection_id=SHOP, ids=(ONE, THREE))).after()
    assert [after.dead_letters[id_].retry_count for id_ in (ONE, TWO, THREE)] == [1, 5, 1]


def test_named_dead_letters_are_resolved_with_one_reason() -> None:
    outcome = SCENE.when(resolve(ids=[TWO, ONE], reason="a test order"))
    ended = DlqEventsResolved(connection_id=SHOP, ids=(ONE, TWO), reason="a test order", resolution="discarded")
    after = outcome.then(ended).after()
    assert [after.dead_letters[id_].pending for id_ in (ONE, TWO, THREE)] == [False, False, True]


def test_an_id_given_twice_counts_once() -> None:
    SCENE.when(retry(ids=[ONE, ONE])).then(DlqEventsRetried(connection_id=SHOP, ids=(ONE,)))


def test_dead_letters_already_resolved_are_skipped() -> None:
    SCENE.when(retry(ids=[FOUR, ONE])).then(DlqEventsRetried(connection_id=SHOP, ids=(ONE,)))


def test_naming_only_resolved_dead_letters_changes_nothing() -> None:
    same = SCENE.when(retry(ids=[FOUR]))
    assert same.then(DlqEventsRetried(connection_id=SHOP, ids=(), changed=False)).after() == same.before
    nothing = DlqEventsResolved(connection_id=SHOP, ids=(), changed=False, resolution="discarded")
    SCENE.when(resolve(ids=[FOUR])).then(nothing)


@pytest.mark.parametrize("other", [dead_letter(9), dead_letter(11)], ids=["unknown", "another connection's"])
def test_one_id_from_outside_the_connection_rejects_the_whole_command(other: str) -> None:
    SCENE.when(retry(ids=[ONE, other])).then_rejected(Code.DLQ_EVENT_NOT_FOUND)
    SCENE.when(resolve(ids=[other, ONE])).then_rejected(Code.DLQ_EVENT_NOT_FOUND)


@pytest.mark.parametrize("actor", [CAT, DAN], ids=["viewer", "editor elsewhere"])
def test_rights_are_checked_before_the_ids(actor: str) -> None:
    SCENE.when(retry(actor, ids=[dead_letter(9)])).then_rejected(Code.FORBIDDEN)
    SCENE.when(resolve(actor, ids=[ONE])).then_rejected(Code.FORBIDDEN)
    SCENE.when(retry(actor, filter={})).then_rejected(Code.FORBIDDEN)


def test_an_empty_filter_selects_all_pending_dead_letters() -> None:
    all_of_them = DlqEventsRetried(connection_id=SHOP, filter=EVERYTHING, ids=(ONE, TWO, THREE), remaining=0)
    SCENE.when(retry(filter={})).then(all_of_them)


@pytest.mark.parametrize(("most", "ids"), [(4, (ONE, THREE)), (5, (ONE, TWO, THREE))])
def test_a_filter_skips_dead_letters_above_its_retry_count(most: int, ids: tuple[str, ...]) -> None:
    wanted = DlqFilter(max_retry_count=most)
    fresh = DlqEventsRetried(connection_id=SHOP, filter=wanted, ids=ids, remaining=0)
    SCENE.when(retry(filter={"max_retry_count": most})).then(fresh)


def test_a_filter_without_matches_changes_nothing_and_has_none_remaining() -> None:
    nothing = DlqEventsRetried(connection_id=BLOG, changed=False, filter=EVERYTHING, ids=(), remaining=0)
    SCENE.when(retry(ANN, of=BLOG, filter={})).then(nothing)


def test_a_filter_takes_the_first_thousand_by_id_and_counts_the_rest() -> None:
    outcome = with_more_pending(BULK_IDS).when(retry(filter={}))
    ids = (ONE, TWO, THREE, *(dead_letter(1000 + number) for number in range(BULK_IDS - 3)))
    outcome.then(DlqEventsRetried(connection_id=SHOP, filter=EVERYTHING, ids=ids, remaining=3))


def test_rounds_of_retries_as_documented_retry_each_dead_letter_once_per_round() -> None:
    """In a round, commands with the same `max_retry_count` are sent until `remaining` is 0. TWO was retried before."""
    scene = with_more_pending(2 * BULK_IDS + 98)
    for number in range(3):
        remaining = []
        for _ in range(3):
            outcome = scene.when(retry(filter={"max_retry_count": number}))
            (entry,), scene = outcome.entries(), replace(scene, org=outcome.after())
            assert isinstance(entry.fact, DlqEventsRetried)
            remaining.append(entry.fact.remaining)
        assert remaining == [BULK_IDS + 100, 100, 0]
        assert scene.org is not None
        letters = [letter for id_, letter in scene.org.dead_letters.items() if id_ not in {TWO, FOUR}]
        assert {each.retry_count for each in letters if each.connection_id == SHOP} == {number + 1}


@pytest.mark.parametrize(("unread_matches", "remaining"), [(4, 7), (9_997, 10_000), (9_998, 10_001), (10_001, 10_001)])
def test_the_remaining_count_is_exact_up_to_ten_thousand(unread_matches: int, remaining: int) -> None:
    outcome = with_more_pending(BULK_IDS).with_unread_matches(unread_matches).when(resolve(filter={}))
    (entry,) = outcome.entries()
    assert isinstance(entry.fact, DlqEventsResolved)
    assert (len(entry.fact.ids), entry.fact.remaining) == (BULK_IDS, remaining)


def test_a_command_with_ids_reports_no_remaining_count() -> None:
    (entry,) = SCENE.when(resolve(ids=[ONE])).entries()
    assert isinstance(entry.fact, DlqEventsResolved)
    assert (entry.fact.filter, entry.fact.remaining) == (UNSET, UNSET)


def test_resolving_all_dead_letters_resolves_the_alert() -> None:
    all_of_them = DlqEventsResolved(
        connection_id=SHOP, filter=EVERYTHING, ids=(ONE, TWO, THREE), remaining=0, resolution="discarded"
    )
    SCENE.when(resolve(None, filter={})).then(all_of_them, resolved_by_policy("dlq_backlog"))


def test_resolving_some_dead_letters_leaves_the_alert_open() -> None:
    some = DlqEventsResolved(connection_id=SHOP, ids=(ONE, TWO), resolution="discarded")
    SCENE.when(resolve(ids=[ONE, TWO, FOUR])).then(some)


def test_a_dead_letter_at_the_retry_limit_is_not_retried_but_can_be_resolved() -> None:
    at_limit = DlqEventRetried(connection_id=ADS, dlq_event_id=dead_letter(11), retry_count=RETRY_COUNT)
    scene = given(*HUB, letter_recorded(10, of=ADS), letter_recorded(11, of=ADS), at_limit)
    both = (dead_letter(10), dead_letter(11))
    scene.when(retry(of=ADS, ids=both)).then(DlqEventsRetried(connection_id=ADS, ids=both[:1]))
    scene.when(retry(of=ADS, ids=both[1:])).then(DlqEventsRetried(connection_id=ADS, changed=False, ids=()))
    some = DlqEventsResolved(connection_id=ADS, ids=both, resolution="discarded")
    scene.when(resolve(of=ADS, ids=both)).then(some)
