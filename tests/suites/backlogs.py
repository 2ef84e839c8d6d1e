"""Connections with many dead letters: a shard loads one page of them, and counts the others up to a limit."""

from dataclasses import replace

from daybook_command.domain.children import Children
from daybook_command.domain.dead_letters import DeadLetter
from daybook_command.domain.references import PendingLetters
from daybook_command.shard.snapshot import OrgNeeds
from suites.database import LATER, ORG, OTHER, Database, children, letters, resolved, retried
from support.given import alert
from support.hub_scene import ADS, SHOP, WEB, connection_created, letter_recorded


class BacklogsContract:
    async def test_pending_dead_letters_are_counted_up_to_the_limit_of_each_org(self, database: Database) -> None:
        await database.has(*map(letter_recorded, range(8)), resolved([*range(4, 8)]))
        for limit, counted in ((3, (3, True)), (4, (4, True)), (5, (4, False))):
            need = OrgNeeds(ORG, 0, children(connections=[SHOP]), count_limit=limit)
            beside = OrgNeeds(OTHER, 0, children(connections=[ADS]), count_limit=9)
            mine, _ = await database.orgs(need, beside)
            [activity] = mine.children.activities.values()
            assert (activity.pending, activity.pending_is_lower_bound) == counted

    async def test_a_low_count_is_recounted_without_touched_dead_letters(self, database: Database) -> None:
        low, high, idle = SHOP, LATER, alert(9)
        await database.has(
            connection_created(high, WEB),
            connection_created(idle, WEB),
            *(letter_recorded(number) for number in range(5)),
        )
        await database.has(letter_recorded(5, high), letter_recorded(6, idle), letter_recorded(7, idle))
        need = OrgNeeds(
            ORG,
            0,
            named=children(letters=letters(range(4, 6))),
            touched=children(letters=letters(range(2))),
            known_activities=frozenset({low, high, idle}),
            low_counts=frozenset({low, idle}),
        )
        found = await database.children(need)
        assert (found.recounted, found.activities) == ({low: 3}, {})
        beside_a_higher_limit = await database.orgs(replace(need, count_limit=2), OrgNeeds(OTHER, 0))
        assert beside_a_higher_limit[0].children.recounted == {low: 2}
        assert (await database.children(replace(need, generation=None))).recounted == {}

    async def test_a_filter_loads_the_first_matching_dead_letters_and_counts_the_rest(self, database: Database) -> None:
        often, touched, matching, gone = range(10), range(10, 20), range(20, 1025), range(1025, 1035)
        await database.has(*(letter_recorded(number) for number in range(1035)), resolved(gone))
        await database.has(*retried(often, 3), *retried([*touched, *matching], 2))
        need = OrgNeeds(ORG, 0, children(connections=[SHOP]), children(letters=letters(touched)))
        twice = await database.children(replace(need, filtered=PendingLetters(SHOP, 2)))
        assert sorted(twice.dead_letters) == letters(matching)[:1000]
        assert set(twice.dead_letters.values()) == {DeadLetter(SHOP, pending=True, retry_count=2)}
        assert twice.unread_matches == 5
        every = await database.children(replace(need, filtered=PendingLetters(SHOP, None)))
        assert sorted(every.dead_letters) == [*letters(often), *letters(matching)[:990]]
        assert every.unread_matches == 15
        afresh = await database.children(replace(need, generation=None, filtered=PendingLetters(SHOP, 2)))
        assert sorted(afresh.dead_letters) == [*letters(touched), *letters(matching)[:1000]]
        never = await database.children(replace(need, filtered=PendingLetters(SHOP, 1)))
        assert (never.dead_letters, never.unread_matches) == ({}, 0)

    async def test_a_page_is_ordered_by_id_and_not_by_retry_count(self, database: Database) -> None:
        await database.has(*map(letter_recorded, range(1800)))
        await database.has(*retried(range(1, 1800, 3), 2), *retried(range(2, 1800, 3), 5))
        upto_two = [id_ for at, id_ in enumerate(letters(range(1800))) if at % 3 < 2]
        for most, matching in ((4, upto_two), (5, letters(range(1800)))):
            found = await database.children(OrgNeeds(ORG, 0, filtered=PendingLetters(SHOP, most)))
            assert sorted(found.dead_letters) == matching[:1000]
            assert found.unread_matches == max(0, len(matching) - 1000)

    async def test_a_filter_on_a_connection_of_another_org_matches_nothing(self, database: Database) -> None:
        await database.has(letter_recorded(1))
        need = OrgNeeds(OTHER, 0, children(connections=[SHOP]), filtered=PendingLetters(SHOP, None))
        assert await database.children(need) == Children()

    async def test_the_rest_is_counted_up_to_10001(self, database: Database) -> None:
        await database.has(*map(letter_recorded, range(11_000)))
        need = OrgNeeds(ORG, 0, filtered=PendingLetters(SHOP, None))
        assert (await database.children(need)).unread_matches == 10_000
        await database.has(*map(letter_recorded, range(11_000, 11_005)))
        found = await database.children(need)
        assert (found.unread_matches, len(found.dead_letters)) == (10_001, 1000)
