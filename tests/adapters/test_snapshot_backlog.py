"""How a shard looks up many dead letters: a filter loads a page and a count, and counts are limited."""

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from daybook_command.domain.children import Children
from daybook_command.domain.dead_letters import DeadLetter
from daybook_command.domain.references import ChildKind, PendingLetters
from daybook_command.shard.snapshot import OrgNeeds
from daybook_infra.runtime.postgres.connections import Pool, close_pool, open_pool
from daybook_infra.runtime.settings import Settings
from support.lookups import look_up, look_up_children, refs
from support.planted_rows import ids, put_connection, put_dead_letters, put_org
from support.stack import FreshSettings


@pytest.fixture(scope="module")
def settings(lasting_settings: FreshSettings) -> Settings:
    """Shared: each test creates its own orgs."""
    return lasting_settings()


@pytest.fixture
async def pool(settings: Settings) -> AsyncIterator[Pool]:
    pool = await open_pool(settings, "test")
    yield pool
    await close_pool(pool)


async def test_pending_dead_letters_are_counted_up_to_the_limit_of_each_org(pool: Pool) -> None:
    needs = []
    for start, limit in ((1000, 3), (2000, 4), (3000, 5)):
        org_id, project_id = await put_org(pool)
        connection_id = await put_connection(pool, org_id, project_id)
        await put_dead_letters(pool, connection_id, ids(4, start))
        await put_dead_letters(pool, connection_id, ids(4, start + 4), status="resolved")
        needs.append(OrgNeeds(org_id, 0, refs(ChildKind.CONNECTION, [connection_id]), count_limit=limit))
    found = [each for org in await look_up(pool, *needs) for each in org.children.activities.values()]
    assert [(each.pending, each.more) for each in found] == [(3, True), (4, True), (4, False)]


async def test_a_low_count_is_recounted_without_touched_dead_letters(pool: Pool) -> None:
    org_id, project_id = await put_org(pool)
    low, high, idle = [await put_connection(pool, org_id, project_id) for _ in range(3)]
    letters = ids(8, start=4000)
    for connection_id, chosen in ((low, letters[:5]), (high, letters[5:6]), (idle, letters[6:])):
        await put_dead_letters(pool, connection_id, chosen)
    need = OrgNeeds(
        org_id,
        0,
        named=refs(ChildKind.DEAD_LETTER, letters[4:6]),
        touched=refs(ChildKind.DEAD_LETTER, letters[:2]),
        known=frozenset({low, high, idle}),
        low=frozenset({low, idle}),
    )
    found = await look_up_children(pool, need)
    assert (found.recounted, found.activities) == ({low: 3}, {})
    limited = OrgNeeds(org_id, 0, need.named, need.touched, need.known, need.low, count_limit=2)
    with_another_org = await look_up(pool, limited, OrgNeeds(str(uuid4()), 0))
    assert with_another_org[0].children.recounted == {low: 2}
    uncached = OrgNeeds(org_id, None, need.named, need.touched, need.known, need.low)
    assert (await look_up_children(pool, uncached)).recounted == {}


async def test_a_filter_loads_the_first_matching_dead_letters_and_counts_the_rest(pool: Pool) -> None:
    org_id, project_id = await put_org(pool)
    connection_id = await put_connection(pool, org_id, project_id)
    often, touched, matching, resolved = ids(10, 10_000), ids(10, 10_100), ids(1005, 11_000), ids(10, 13_000)
    await put_dead_letters(pool, connection_id, often, retry_count=3)
    await put_dead_letters(pool, connection_id, [*touched, *matching], retry_count=2)
    await put_dead_letters(pool, connection_id, resolved, status="resolved")
    named = refs(ChildKind.CONNECTION, [connection_id])
    skip = refs(ChildKind.DEAD_LETTER, touched)
    twice = await look_up_children(pool, OrgNeeds(org_id, 0, named, skip, filtered=PendingLetters(connection_id, 2)))
    assert sorted(twice.dead_letters) == matching[:1000]
    assert set(twice.dead_letters.values()) == {DeadLetter(connection_id, pending=True, retry_count=2)}
    assert twice.beyond == 5
    every = await look_up_children(pool, OrgNeeds(org_id, 0, named, skip, filtered=PendingLetters(connection_id, None)))
    assert sorted(every.dead_letters) == often + matching[:990]
    assert every.beyond == 15
    uncached = await look_up_children(
        pool, OrgNeeds(org_id, None, named, skip, filtered=PendingLetters(connection_id, 2))
    )
    assert sorted(uncached.dead_letters) == touched + matching[:1000]
    never = await look_up_children(pool, OrgNeeds(org_id, 0, named, skip, filtered=PendingLetters(connection_id, 1)))
    assert (never.dead_letters, never.beyond) == ({}, 0)


async def test_a_page_is_ordered_by_id_whatever_the_retry_counts(pool: Pool) -> None:
    org_id, project_id = await put_org(pool)
    connection_id = await put_connection(pool, org_id, project_id)
    letters = ids(1800, start=60_000)
    for offset, retry_count in enumerate((0, 2, 5)):
        await put_dead_letters(pool, connection_id, letters[offset::3], retry_count=retry_count)
    up_to_two = sorted(letters[0::3] + letters[1::3])
    for limit, matching in ((4, up_to_two), (5, letters)):
        found = await look_up_children(pool, OrgNeeds(org_id, 0, filtered=PendingLetters(connection_id, limit)))
        assert sorted(found.dead_letters) == matching[:1000]
        assert found.beyond == max(0, len(matching) - 1000)


async def test_a_filter_on_a_connection_of_another_org_matches_nothing(pool: Pool) -> None:
    org_id, project_id = await put_org(pool)
    other_id, _ = await put_org(pool)
    connection_id = await put_connection(pool, org_id, project_id)
    await put_dead_letters(pool, connection_id, ids(1, start=14_000))
    named = refs(ChildKind.CONNECTION, [connection_id])
    need = OrgNeeds(other_id, 0, named, filtered=PendingLetters(connection_id, None))
    assert await look_up_children(pool, need) == Children()


async def test_the_rest_is_counted_up_to_10001(pool: Pool) -> None:
    org_id, project_id = await put_org(pool)
    connection_id = await put_connection(pool, org_id, project_id)
    need = OrgNeeds(org_id, 0, filtered=PendingLetters(connection_id, None))
    await put_dead_letters(pool, connection_id, ids(11_000, start=20_000))
    assert (await look_up_children(pool, need)).beyond == 10_000
    await put_dead_letters(pool, connection_id, ids(5, start=40_000))
    found = await look_up_children(pool, need)
    assert (found.beyond, len(found.dead_letters)) == (10_001, 1000)
