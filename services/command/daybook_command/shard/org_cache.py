"""Cached orgs, each as of the log's head. Evicts the least recently used orgs, but keeps dirty ones, which have entries
that are not projected yet. A cache from a library would evict dirty orgs too.
"""

from collections import OrderedDict
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from daybook_command.domain.state import Org

# Bytes of memory, measured with tracemalloc. Names are short, or shared with other orgs.
ORG_BYTES: Final = 1_000
MEMBER_BYTES: Final = 140
PROJECT_BYTES: Final = 270
CONNECTION_BYTES: Final = 800
SECRET_REF_BYTES: Final = 360


@dataclass(slots=True)
class CachedOrg:
    """`generation` counts the org's quarantines; if it changes, the copy is stale."""

    org: Org | None
    generation: int
    weight: int = ORG_BYTES


@dataclass(slots=True)
class OrgCache:
    """`limit` and `weight` in bytes."""

    limit: int
    orgs: OrderedDict[str, CachedOrg] = field(default_factory=OrderedDict)
    weight: int = 0

    def __len__(self) -> int:
        return len(self.orgs)

    def get(self, org_id: str) -> CachedOrg | None:
        cached = self.orgs.get(org_id)
        if cached is not None:
            self.orgs.move_to_end(org_id)
        return cached

    def put(self, org_id: str, org: Org | None, generation: int) -> None:
        replaced = self.orgs.get(org_id)
        self.weight += ORG_BYTES - (0 if replaced is None else replaced.weight)
        self.orgs[org_id] = CachedOrg(org, generation)
        self.orgs.move_to_end(org_id)

    def evict(self, changed: Iterable[str], dirty: Container[str]) -> None:
        """Weigh the orgs in `changed`, and shrink to the limit, but keep the orgs in `dirty` and the org used last."""
        for org_id in changed:
            self._weigh(org_id)
        surplus = self.weight - self.limit
        if surplus <= 0:
            return
        for org_id in list(self._least_used(surplus, dirty)):
            self.weight -= self.orgs.pop(org_id).weight

    def _least_used(self, weight: int, dirty: Container[str]) -> Iterator[str]:
        """Orgs to evict: enough of them to free `weight` bytes, or all that may be evicted."""
        last_used = next(reversed(self.orgs), None)
        for org_id, cached in self.orgs.items():
            if weight <= 0:
                return
            if org_id not in dirty and org_id != last_used:
                weight -= cached.weight
                yield org_id

    def _weigh(self, org_id: str) -> None:
        cached = self.orgs.get(org_id)
        if cached is not None:
            self.weight -= cached.weight
            cached.weight = weight_of(cached.org)
            self.weight += cached.weight


def weight_of(org: Org | None) -> int:
    """About how many bytes of memory the org takes, without the children that a batch loads for itself."""
    if org is None:
        return ORG_BYTES
    project_members = sum([len(project.members) for project in org.projects.values()])
    return (
        ORG_BYTES
        + MEMBER_BYTES * (len(org.members) + project_members)
        + PROJECT_BYTES * len(org.projects)
        + CONNECTION_BYTES * len(org.connections)
        + SECRET_REF_BYTES * len(org.secret_refs)
    )
