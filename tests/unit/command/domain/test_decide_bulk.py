"""RETRY_DLQ_EVENTS and RESOLVE_DLQ_EVENTS: many dead letters of one connection in one entry."""

from dataclasses import replace
from typing import Any

import pytest
from msgspec import UNSET

from daybook_command.domain.dead_letters import DeadLetter
from daybook_contracts.codes import Code
from daybook_contracts.commands.registry import Command
from daybook_contracts.entries.facts import DlqEventRetried, DlqEventsResolved, DlqEventsRetried, DlqFilter
from daybook_contracts.limits import BULK_IDS, RETRY_COUNT
from support.given import ANN, BOB, CAT, DAN, Given, command, connection, dead_letter, given
from support.hub_scene import ADS, BLOG, HUB, SHOP, over, raised, recorded, resolved

ONE, TWO, THREE, FOUR = (dead_letter(number) for number in range(1, 5))
SCENE = given(
    *HUB,
    recorded(1),
    raised("dlq_backlog", "warning"),
    *(recorded(number) for number in (2, 3, 4)),
    resolved(4),
    DlqEventRetried(connection_id=SHOP, dlq_event_id=TWO, retry_count=5),
    recorded(11, of=ADS),
)
"""Of SHOP three are pending, one of them retried five times, and one is resolved; of ADS one is pending."""

EVERYTHING = DlqFilter()


def retry(by: str | None = BOB, of: str = SHOP, **data: Any) -> Command:
    return command("RETRY_DLQ_EVENTS", by=by, connection_id=of, **data)


def resolve(by: str | None = BOB, of: str = SHOP, **data: Any) -> Command:
    return command("RESOLVE_DLQ_EVENTS", by=by, connection_id=of, resolution="discarded", **data)


def crowded(count: int) -> Given:
    """So many pending dead letters of SHOP beside those of the scene."""
    assert SCENE.org is not None
    crowd = {dead_letter(1000 + number): DeadLetter(SHOP, pending=True, retry_count=0) for number in range(count)}
    shop = SCENE.org.connections[SHOP]
    assert shop.activity is not None
    busy = replace(shop, activity=replace(shop.activity, pending=3 + count))
    org = SCENE.org
    letters, connections = org.dead_letters.update(crowd), org.connections.set(SHOP, busy)
    return replace(SCENE, org=replace(org, dead_letters=letters, connections=connections))


def test_those_named_are_retried_once_each_in_order_of_their_ids() -> None:
    after = SCENE.when(retry(ids=[THREE, ONE])).then(DlqEventsRetried(connection_id=SHOP, ids=(ONE, THREE))).after()
    assert after is not None
    assert [after.dead_letters[id_].retry_count for id_ in (ONE, TWO, THREE)] == [1, 5, 1]


def test_those_named_are_resolved_with_one_reason() -> None:
    outcome = SCENE.when(resolve(ids=[TWO, ONE], reason="a test order"))
    ended = DlqEventsResolved(connection_id=SHOP, ids=(ONE, TWO), reason="a test order", resolution="discarded")
    after = outcome.then(ended).after()
    assert after is not None
    assert [after.dead_letters[id_].pending for id_ in (ONE, TWO, THREE)] == [False, False, True]


def test_an_id_given_twice_counts_once() -> None:
    SCENE.when(retry(ids=[ONE, ONE])).then(DlqEventsRetried(connection_id=SHOP, ids=(ONE,)))


def test_those_resolved_already_are_skipped() -> None:
    SCENE.when(retry(ids=[FOUR, ONE])).then(DlqEventsRetried(connection_id=SHOP, ids=(ONE,)))


def test_where_none_is_left_nothing_changes() -> None:
    same = SCENE.when(retry(ids=[FOUR]))
    assert same.then(DlqEventsRetried(connection_id=SHOP, ids=(), changed=False)).after() == same.before
    nothing = DlqEventsResolved(connection_id=SHOP, ids=(), changed=False, resolution="discarded")
    SCENE.when(resolve(ids=[FOUR])).then(nothing)


@pytest.mark.parametrize("other", [dead_letter(9), dead_letter(11)], ids=["unknown", "another connection's"])
def test_one_id_that_is_not_of_the_connection_stops_all(other: str) -> None:
    SCENE.when(retry(ids=[ONE, other])).then_rejected(Code.DLQ_EVENT_NOT_FOUND)
    SCENE.when(resolve(ids=[other, ONE])).then_rejected(Code.DLQ_EVENT_NOT_FOUND)


@pytest.mark.parametrize("actor", [CAT, DAN], ids=["viewer", "editor elsewhere"])
def test_rights_are_judged_before_the_ids(actor: str) -> None:
    SCENE.when(retry(actor, ids=[dead_letter(9)])).then_rejected(Code.FORBIDDEN)
    SCENE.when(resolve(actor, ids=[ONE])).then_rejected(Code.FORBIDDEN)
    SCENE.when(retry(actor, filter={})).then_rejected(Code.FORBIDDEN)


def test_an_unknown_connection_is_not_found_before_rights_are_judged() -> None:
    SCENE.when(retry(CAT, of=connection(9), filter={})).then_rejected(Code.CONNECTION_NOT_FOUND)
    SCENE.when(resolve(CAT, of=connection(9), ids=[ONE])).then_rejected(Code.CONNECTION_NOT_FOUND)


def test_an_empty_filter_means_all_that_are_pending() -> None:
    all_of_them = DlqEventsRetried(connection_id=SHOP, filter=EVERYTHING, ids=(ONE, TWO, THREE), remaining=0)
    SCENE.when(retry(filter={})).then(all_of_them)


@pytest.mark.parametrize(("most", "ids"), [(4, (ONE, THREE)), (5, (ONE, TWO, THREE))])
def test_a_filter_leaves_out_those_that_were_retried_more_often(most: int, ids: tuple[str, ...]) -> None:
    wanted = DlqFilter(max_retry_count=most)
    fresh = DlqEventsRetried(connection_id=SHOP, filter=wanted, ids=ids, remaining=0)
    SCENE.when(retry(filter={"max_retry_count": most})).then(fresh)


def test_a_filter_that_matches_none_changes_nothing_and_leaves_none() -> None:
    nothing = DlqEventsRetried(connection_id=BLOG, changed=False, filter=EVERYTHING, ids=(), remaining=0)
    SCENE.when(retry(ANN, of=BLOG, filter={})).then(nothing)


def test_a_filter_takes_the_first_thousand_by_id_and_tells_how_many_it_left() -> None:
    outcome = crowded(BULK_IDS).when(retry(filter={}))
    ids = (ONE, TWO, THREE, *(dead_letter(1000 + number) for number in range(BULK_IDS - 3)))
    outcome.then(DlqEventsRetried(connection_id=SHOP, filter=EVERYTHING, ids=ids, remaining=3))


@pytest.mark.parametrize(("beyond", "remaining"), [(4, 7), (9_997, 10_000), (9_998, 10_001), (10_001, 10_001)])
def test_what_a_filter_left_is_exact_up_to_ten_thousand(beyond: int, remaining: int) -> None:
    outcome = crowded(BULK_IDS).with_beyond(beyond).when(resolve(filter={}))
    (entry,) = outcome.entries()
    assert isinstance(entry.fact, DlqEventsResolved)
    assert (len(entry.fact.ids), entry.fact.remaining) == (BULK_IDS, remaining)


def test_no_more_is_said_to_remain_with_ids() -> None:
    (entry,) = SCENE.when(resolve(ids=[ONE])).entries()
    assert isinstance(entry.fact, DlqEventsResolved)
    assert (entry.fact.filter, entry.fact.remaining) == (UNSET, UNSET)


def test_resolving_all_takes_the_alert_along() -> None:
    all_of_them = DlqEventsResolved(
        connection_id=SHOP, filter=EVERYTHING, ids=(ONE, TWO, THREE), remaining=0, resolution="discarded"
    )
    SCENE.when(resolve(None, filter={})).then(all_of_them, over("dlq_backlog"))


def test_resolving_some_leaves_the_alert() -> None:
    some = DlqEventsResolved(connection_id=SHOP, ids=(ONE, TWO), resolution="discarded")
    SCENE.when(resolve(ids=[ONE, TWO, FOUR])).then(some)


def test_one_that_can_be_counted_no_further_is_skipped_but_can_be_resolved() -> None:
    worn = DlqEventRetried(connection_id=ADS, dlq_event_id=dead_letter(11), retry_count=RETRY_COUNT)
    scene = given(*HUB, recorded(10, of=ADS), recorded(11, of=ADS), worn)
    both = (dead_letter(10), dead_letter(11))
    scene.when(retry(of=ADS, ids=both)).then(DlqEventsRetried(connection_id=ADS, ids=both[:1]))
    scene.when(retry(of=ADS, ids=both[1:])).then(DlqEventsRetried(connection_id=ADS, changed=False, ids=()))
    some = DlqEventsResolved(connection_id=ADS, ids=both, resolution="discarded")
    scene.when(resolve(of=ADS, ids=both)).then(some)
