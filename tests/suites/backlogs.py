"""A filter on many dead letters: a shard loads one page of those that match, and counts the others up to a limit."""

from msgspec.structs import replace

from daybook_command.domain.children import Children
from daybook_command.domain.dead_letters import DeadLetter
from daybook_command.domain.references import PendingLetters
from daybook_command.shard.snapshot import OrgNeeds
from suites.database import LATER, ORG, OTHER, Database, children, letters, resolved, retried
from support.hub_scene import SHOP, WEB, connection_created, letter_recorded


class BacklogsContract:
    async def test_each_connection_has_its_own_exact_count_of_pending_dead_letters(self, database: Database) -> None:
        await database.has(connection_created(LATER, WEB), *map(letter_recorded, range(300)), resolved([*range(4, 8)]))
        await database.has(letter_recorded(300, LATER))
        both = await database.children(OrgNeeds(ORG, 0, children(connections=[SHOP, LATER])))
        assert {id_: activity.pending for id_, activity in both.activities.items()} == {SHOP: 296, LATER: 1}

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
