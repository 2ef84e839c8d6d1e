"""Reads from PostgreSQL what shards need in order to decide. All rows are of the same moment."""

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import asyncpg

from daybook_command.domain.references import ChildKind
from daybook_command.postgres import snapshot_sql as sql
from daybook_command.postgres.child_loader import children_to_read, load_children
from daybook_command.postgres.child_rows import ChildRows
from daybook_command.postgres.entry_rows import FoundEntries, fetch_entries
from daybook_command.postgres.org_loader import load_orgs
from daybook_command.shard.snapshot import LoadedOrg, Needs, OrgNeeds, Snapshot
from daybook_contracts.log.head import NOTHING_PROJECTED, Checkpoint
from daybook_infra.runtime.errors import DatabaseAway
from daybook_infra.runtime.postgres.checkpoints import checkpoints_of, load_checkpoint
from daybook_infra.runtime.postgres.connections import Connection, Pool, translated


@dataclass(frozen=True, slots=True)
class _Rows:
    """The results of all statements except `KNOWN`. `taken`: by partition, the ids that other orgs have."""

    entries: FoundEntries
    orgs: Mapping[str, LoadedOrg]
    taken: Mapping[int, frozenset[tuple[str, str]]]


@dataclass(frozen=True, slots=True)
class _Known:
    """The result of `KNOWN` for all needs: PostgreSQL's time, and which checkpoints, entries, users and quarantines
    exist. `children`: the children that the needs name. `read_at`: this machine's monotonic clock, in seconds.
    """

    now_us: int
    read_at: float
    checkpoints: Mapping[int, Checkpoint]
    entry_ids: frozenset[str]
    users: frozenset[str]
    pinned: frozenset[str]
    quarantine: Mapping[str, tuple[int, bool]]
    children: ChildRows

    def suffices(self, orgs: Sequence[OrgNeeds]) -> bool:
        """Whether no entry of the commands is in the table, the shard's copies of all orgs are valid, and no children
        are missing.
        """
        copies_are_valid = all(each.generation == self.standing(each.org_id)[0] for each in orgs)
        missing = children_to_read(orgs, frozenset(), self.children) - self.children.asked
        return copies_are_valid and not self.entry_ids and not missing

    def standing(self, org_id: str) -> tuple[int, bool]:
        """The org's generation (0 if `daybook.quarantine` has no row of it), and whether it is in quarantine now."""
        return self.quarantine.get(org_id, (0, False))

    def cached_orgs(self, orgs: Sequence[OrgNeeds]) -> dict[str, LoadedOrg]:
        """The orgs of which the shard has a copy, with their children."""
        ids = [each.org_id for each in orgs]
        return {
            org_id: LoadedOrg(None, False, *self.standing(org_id), self.children.children_of(org_id, 0))
            for org_id in ids
        }

    def snapshots(self, needs: Mapping[int, Needs], rows: _Rows) -> dict[int, Snapshot]:
        # Adds the time that loading took, which would otherwise look like clock skew.
        now_us = self.now_us + int((time.monotonic() - self.read_at) * 1e6)
        next_offsets = {partition: each.next_offset for partition, each in self.checkpoints.items()}
        return {
            partition: Snapshot(
                checkpoint=self.checkpoints.get(partition, NOTHING_PROJECTED),
                database_us=now_us,
                entries=rows.entries,
                orgs={each.org_id: rows.orgs[each.org_id] for each in need.orgs},
                known_users=self.users,
                pinned_users=self.pinned,
                taken_ids=rows.taken.get(partition, frozenset()),
                next_offsets=next_offsets if need.next_offsets else {},
            )
            for partition, need in needs.items()
        }


class SnapshotReader:
    """Reads from the primary only. Every method raises DatabaseAway if PostgreSQL does not answer."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def clock_us(self) -> int:
        """PostgreSQL's clock, in microseconds since the epoch."""
        with translated():
            found: int = await self._pool.fetchval(sql.CLOCK)
        return found

    async def checkpoint(self, partition: int) -> Checkpoint:
        with translated():
            return await load_checkpoint(self._pool, partition)

    async def read(self, needs: Mapping[int, Needs]) -> dict[int, Snapshot]:
        """A snapshot for each partition; all of them are of the same moment."""
        with translated():
            async with self._pool.acquire() as connection:
                await self._reserve_ids(connection, needs)
                return await self._read(connection, needs)

    async def _reserve_ids(self, connection: Connection, needs: Mapping[int, Needs]) -> None:
        chosen = sorted({(chosen_id, org_id) for need in needs.values() for _, chosen_id, org_id in need.chosen_ids})
        if chosen:
            await connection.execute(sql.RESERVE, [each[0] for each in chosen], [each[1] for each in chosen])

    async def pin(self, user_ids: AbstractSet[str]) -> frozenset[str]:
        """Pins the users until the entries that name them are projected. Returns those who are deleted already."""
        asked = sorted(user_ids)
        with translated():
            try:
                await self._pool.execute(sql.PIN_USERS, asked)
            except asyncpg.ForeignKeyViolationError as error:
                raise DatabaseAway("a user was deleted while it was pinned") from error
            pinned = await self._pool.fetch(sql.PINNED_USERS, asked)
        return frozenset(user_ids).difference(row["user_id"] for row in pinned)

    async def _read(self, connection: Connection, needs: Mapping[int, Needs]) -> dict[int, Snapshot]:
        """First tries the single statement `KNOWN` if it may suffice: a transaction takes three more round trips."""
        orgs = [each for need in needs.values() for each in need.orgs]
        if all(map(_may_suffice, orgs)) and not any(need.chosen_ids for need in needs.values()):
            known = await self._find_known(connection, needs, orgs)
            if known.suffices(orgs):
                return known.snapshots(needs, _Rows({}, known.cached_orgs(orgs), {}))
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            known = await self._find_known(connection, needs, orgs)
            return known.snapshots(needs, await _load_rows(connection, needs, orgs, known))

    async def _find_known(self, connection: Connection, needs: Mapping[int, Needs], orgs: Sequence[OrgNeeds]) -> _Known:
        every = any(need.next_offsets for need in needs.values())
        children = ChildRows()
        asked = children_to_read(orgs, {each.org_id for each in orgs if each.generation is None}, children)
        row = await connection.fetchrow(
            sql.KNOWN,
            [identity.first_id() for need in needs.values() for identity in need.identities],
            [user_id for need in needs.values() for user_id in need.users],
            [each.org_id for each in orgs],
            None if every else list(needs),
            *asked.arguments(),
        )
        if row is None or row["standby"]:
            raise DatabaseAway("PostgreSQL is away: this is a standby, and decisions need the primary")
        children.add(asked, row)
        return _Known(
            now_us=row["now_us"],
            read_at=time.monotonic(),
            checkpoints=checkpoints_of(row["checkpoints"]),
            entry_ids=frozenset(row["entry_ids"]),
            users=frozenset(row["users"]),
            pinned=frozenset(row["pinned"]),
            quarantine={org_id: (generation, active) for org_id, generation, active in row["quarantine"]},
            children=children,
        )


def _may_suffice(need: OrgNeeds) -> bool:
    """Whether the shard's copy of the org and the result of `KNOWN` may suffice. If a run or a dead letter is named
    without a connection, its connection is not known yet, nor are that connection's alerts.
    """
    kinds = [ref.kind for ref in need.named]
    has_children = ChildKind.RUN in kinds or ChildKind.DEAD_LETTER in kinds
    knows_connections = ChildKind.CONNECTION in kinds or not has_children
    return need.generation is not None and need.filtered is None and knows_connections


async def _load_rows(
    connection: Connection, needs: Mapping[int, Needs], orgs: Sequence[OrgNeeds], known: _Known
) -> _Rows:
    entries = await _load_outcomes(connection, needs, known.entry_ids) if known.entry_ids else {}
    loaded = await _load_orgs(connection, orgs, known)
    taken = {partition: await _find_taken_ids(connection, need) for partition, need in needs.items() if need.chosen_ids}
    return _Rows(entries, loaded, taken)


async def _load_orgs(connection: Connection, orgs: Sequence[OrgNeeds], known: _Known) -> dict[str, LoadedOrg]:
    """The rows of all orgs. Reads an org only if the shard has no copy, or a copy of another generation. Reads the
    children of all orgs.
    """
    stale = {each.org_id for each in orgs if each.generation != known.standing(each.org_id)[0]}
    loaded = await load_orgs(connection, sorted(stale)) if stale else {}
    children = await load_children(connection, orgs, stale, known.children)
    return {
        org_id: LoadedOrg(loaded.get(org_id), org_id in stale, *known.standing(org_id), of_org)
        for org_id, of_org in children.items()
    }


async def _load_outcomes(
    connection: Connection, needs: Mapping[int, Needs], existing_ids: AbstractSet[str]
) -> FoundEntries:
    """All entries of the commands whose first entry's id is in the table; the row may be of another entry."""
    asked = [each for need in needs.values() for each in need.identities if each.first_id() in existing_ids]
    found = await fetch_entries(connection, asked)
    others = [
        first.at(ordinal)
        for first, entry in found.items()
        if entry is not None
        for ordinal in range(1, entry.metadata_json.entries)
    ]
    return found | await fetch_entries(connection, others) if others else found


async def _find_taken_ids(connection: Connection, need: Needs) -> frozenset[tuple[str, str]]:
    """Pairs of an org and an id that it chose, if another org has reserved the id or has it in a table."""
    chosen = sorted({chosen_id for _, chosen_id, _ in need.chosen_ids})
    rows = await connection.fetch(sql.RESERVED, chosen)
    for table in sorted({table for table, _, _ in need.chosen_ids}):
        rows += await connection.fetch(sql.HOLDERS_BY_TABLE[table], chosen)
    holders: defaultdict[str, set[str]] = defaultdict(set)
    for row in rows:
        holders[row["id"]].add(row["org_id"])
    return frozenset((org_id, chosen_id) for _, chosen_id, org_id in need.chosen_ids if holders[chosen_id] - {org_id})
