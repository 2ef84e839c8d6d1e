"""Looks up what a test says that a shard needs, in PostgreSQL, as the command service does."""

from collections.abc import Iterable

from daybook_command.domain.children import Children
from daybook_command.domain.references import ChildKind, ChildRef
from daybook_command.postgres.snapshot_reader import SnapshotReader
from daybook_command.shard.snapshot import LoadedOrg, Needs, OrgNeeds
from daybook_infra.runtime.postgres.connections import Pool


async def look_up(pool: Pool, *needs: OrgNeeds) -> list[LoadedOrg]:
    snapshots = await SnapshotReader(pool).read({3: Needs(orgs=needs)})
    return [snapshots[3].orgs[need.org_id] for need in needs]


async def look_up_children(pool: Pool, need: OrgNeeds) -> Children:
    return (await look_up(pool, need))[0].children


def refs(kind: ChildKind, ids_: Iterable[str]) -> frozenset[ChildRef]:
    return frozenset(ChildRef(kind, id_) for id_ in ids_)
