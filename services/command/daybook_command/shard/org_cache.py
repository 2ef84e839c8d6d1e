"""Cached orgs, each as of the log's head. Evicts the least recently used orgs, but keeps dirty ones, which have entries
that are not projected yet. The caches of libraries cannot keep certain items.
"""

from collections import OrderedDict
from collections.abc import Container
from dataclasses import dataclass, field
from itertools import islice

from daybook_command.domain.state import Org


@dataclass(slots=True)
class CachedOrg:
    """`generation` counts the org's quarantines; if it changes, the copy is stale."""

    org: Org | None
    generation: int


@dataclass(slots=True)
class OrgCache:
    limit: int
    orgs: OrderedDict[str, CachedOrg] = field(default_factory=OrderedDict)

    def __len__(self) -> int:
        return len(self.orgs)

    def get(self, org_id: str) -> CachedOrg | None:
        cached = self.orgs.get(org_id)
        if cached is not None:
            self.orgs.move_to_end(org_id)
        return cached

    def put(self, org_id: str, org: Org | None, generation: int) -> None:
        self.orgs[org_id] = CachedOrg(org, generation)
        self.orgs.move_to_end(org_id)

    def evict(self, dirty: Container[str]) -> None:
        """Shrink to the limit, but keep the orgs in `dirty`."""
        surplus = len(self.orgs) - self.limit
        if surplus <= 0:
            return
        clean = (org_id for org_id in self.orgs if org_id not in dirty)
        for org_id in list(islice(clean, surplus)):
            del self.orgs[org_id]
