"""The cache of orgs is bounded by the memory that they take."""

from immutables import Map

from daybook_command.domain.projects import Project
from daybook_command.domain.state import Org
from daybook_command.shard.org_cache import MEMBER_BYTES, ORG_BYTES, OrgCache, weight_of
from daybook_contracts.entries.fields import ProjectRole, Role


def org_of(members: int) -> Org:
    roles: dict[str, Role] = {str(number): "viewer" for number in range(members)}
    return Org("Acme", Map(roles), 0, Map())


def cache_of(limit: int, **orgs: int) -> OrgCache:
    """A cache of orgs with these numbers of members, the least recently used org first."""
    cache = OrgCache(limit)
    for org_id, members in orgs.items():
        cache.put(org_id, org_of(members), 0)
    return cache


def test_the_least_recently_used_orgs_are_evicted_until_the_rest_fits() -> None:
    cache = cache_of(2 * ORG_BYTES + 5 * MEMBER_BYTES, a=0, b=0, c=5)
    cache.get("a")
    cache.evict(["a", "b", "c"], set())
    assert list(cache.orgs) == ["c", "a"]
    assert cache.weight == 2 * ORG_BYTES + 5 * MEMBER_BYTES


def test_dirty_orgs_and_the_org_used_last_are_kept_even_beyond_the_limit() -> None:
    cache = cache_of(1, a=1, b=1, c=1)
    cache.evict(["a", "b", "c"], {"a"})
    assert list(cache.orgs) == ["a", "c"]


def test_an_org_that_grows_evicts_others() -> None:
    cache = cache_of(2 * ORG_BYTES + 2 * MEMBER_BYTES, a=1, b=1)
    cache.evict(["a", "b"], set())
    assert len(cache) == 2
    cache.orgs["b"].org = org_of(2)
    cache.evict(["b"], set())
    assert list(cache.orgs) == ["b"]
    assert cache.weight == ORG_BYTES + 2 * MEMBER_BYTES


def test_an_org_that_is_read_again_counts_once() -> None:
    cache = cache_of(ORG_BYTES * 10, a=3)
    cache.evict(["a"], set())
    cache.put("a", org_of(2), 1)
    cache.evict(["a"], set())
    assert cache.weight == ORG_BYTES + 2 * MEMBER_BYTES


def test_members_of_projects_count_like_members_of_the_org() -> None:
    roles: dict[str, ProjectRole] = {"ann": "viewer", "bob": "viewer"}
    project = Project("Site", Map(roles))
    alone = Project("Site", Map())
    with_members, without = (Org("Acme", Map(), 0, Map({"site": each})) for each in (project, alone))
    assert weight_of(with_members) - weight_of(without) == 2 * MEMBER_BYTES
