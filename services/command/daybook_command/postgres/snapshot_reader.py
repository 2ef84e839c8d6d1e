"""Reads from PostgreSQL what shards need in order to decide. All rows are of the same moment."""

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import asyncpg

from daybook_command.domain.children import Children
from daybook_command.postgres import snapshot_sql as sql
from daybook_command.postgres.child_loader import load_children
from daybook_command.postgres.entry_rows import FoundEntries, fetch_entries
from daybook_command.postgres.org_loader import load_orgs
from daybook_command.shard.snapshot import LoadedOrg, Needs, Snapshot
from daybook_contracts.log.head import NOTHING_PROJECTED, Checkpoint
from daybook_infra.runtime.errors import DatabaseAway
from daybook_infra.runtime.postgres.checkpoints import load_checkpoint, load_checkpoints
from daybook_infra.runtime.postgres.connections import Connection, Pool, translated

_NO_CHILDREN = Children()


@dataclass(frozen=True, slots=True)
class _Known:
    """The result of one statement for all needs: PostgreSQL's time, and which entries, users and quarantines exist."""

    now_us: int
    entry_ids: Sequence[str]
    users: frozenset[str]
    pinned: frozenset[str]
    quarantine: Mapping[str, tuple[int, bool]]


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
                async with connection.transaction(isolation="repeatable_read", readonly=True):
                    return await self._read(connection, needs)

    async def _reserve_ids(self, connection: Connection, needs: Mapping[int, Needs]) -> None:
        chosen = sorted({(chosen_id, org_id) for need in needs.values() for _, chosen_id, org_id in need.chosen_ids})
        if chosen:
            await connection.execute(sql.RESERVE, [each[0] for each in chosen], [each[1] for each in chosen])

    async def pin(self, user_ids: AbstractSet[str]) -> frozenset[str]:
        """Protects the users from deletion until they are projected. Returns those who are deleted already."""
        asked = sorted(user_ids)
        with translated():
            try:
                await self._pool.execute(sql.PIN_USERS, asked)
            except asyncpg.ForeignKeyViolationError as error:
                raise DatabaseAway("a user was deleted while it was pinned") from error
            pinned = await self._pool.fetch(sql.PINNED_USERS, asked)
        return frozenset(user_ids).difference(row["user_id"] for row in pinned)

    async def _read(self, connection: Connection, needs: Mapping[int, Needs]) -> dict[int, Snapshot]:
        every = any(need.next_offsets for need in needs.values())
        checkpoints = await load_checkpoints(connection, None if every else needs)
        known = await self._find_known(connection, needs)
        known_at = time.monotonic()
        entries = await _load_outcomes(connection, needs, frozenset(known.entry_ids)) if known.entry_ids else {}
        orgs = await _load_orgs(connection, needs, known.quarantine)
        taken = {
            partition: await _find_taken_ids(connection, need) for partition, need in needs.items() if need.chosen_ids
        }
        next_offsets = {partition: each.next_offset for partition, each in checkpoints.items()} if every else {}
        # Loading large orgs takes time, which must not be taken for clock skew.
        now_us = known.now_us + int((time.monotonic() - known_at) * 1e6)
        snapshots = {}
        for partition, need in needs.items():
            snapshots[partition] = Snapshot(
                checkpoint=checkpoints.get(partition, NOTHING_PROJECTED),
                database_us=now_us,
                entries=entries,
                orgs={each.org_id: orgs[each.org_id] for each in need.orgs},
                known_users=known.users,
                pinned_users=known.pinned,
                taken_ids=taken.get(partition, frozenset()),
                next_offsets=next_offsets,
            )
        return snapshots

    async def _find_known(self, connection: Connection, needs: Mapping[int, Needs]) -> _Known:
        row = await connection.fetchrow(
            sql.KNOWN,
            [identity.first_id() for need in needs.values() for identity in need.identities],
            [user_id for need in needs.values() for user_id in need.users],
            [each.org_id for need in needs.values() for each in need.orgs],
        )
        if row is None or row["standby"]:
            raise DatabaseAway("PostgreSQL is away: this is a standby, and decisions need the primary")
        quarantine = {org_id: (generation, active) for org_id, generation, active in row["quarantine"]}
        users, pinned = frozenset(row["users"]), frozenset(row["pinned"])
        return _Known(row["now_us"], row["entry_ids"], users, pinned, quarantine)


async def _load_orgs(
    connection: Connection, needs: Mapping[int, Needs], quarantine: Mapping[str, tuple[int, bool]]
) -> dict[str, LoadedOrg]:
    """The rows of all orgs of the needs. Reads an org only if the shard has no copy, or a copy from before a
    quarantine. Reads the children of all orgs.
    """
    asked = {each.org_id: each for need in needs.values() for each in need.orgs}
    current = {org_id: quarantine.get(org_id, (0, False)) for org_id in asked}
    stale = {org_id for org_id, each in asked.items() if each.generation != current[org_id][0]}
    loaded = await load_orgs(connection, sorted(stale)) if stale else {}
    children = await load_children(connection, list(asked.values()), stale)
    return {
        org_id: LoadedOrg(loaded.get(org_id), org_id in stale, *current[org_id], children.get(org_id, _NO_CHILDREN))
        for org_id in asked
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
