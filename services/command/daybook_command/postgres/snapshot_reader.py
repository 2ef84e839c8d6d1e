"""Reads from PostgreSQL what shards need in order to decide. All rows are of the same moment."""

import time
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import dataclass, field

import asyncpg

from daybook_command.postgres import snapshot_sql as sql
from daybook_command.postgres.child_loader import load_children
from daybook_command.postgres.entry_rows import FoundEntries, fetch_entries
from daybook_command.postgres.known import Known, find_known
from daybook_command.postgres.org_loader import load_orgs
from daybook_command.shard.snapshot import LoadedOrg, Needs, OrgNeeds, Snapshot
from daybook_contracts.log.head import NOTHING_PROJECTED, Checkpoint
from daybook_infra.runtime.errors import DatabaseAway
from daybook_infra.runtime.postgres.checkpoints import load_checkpoint
from daybook_infra.runtime.postgres.connections import Connection, Pool, translated


class SnapshotRefused(Exception):
    """PostgreSQL refuses a look-up because of its size or its values, and would refuse it again. It may accept one for
    fewer commands.
    """


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except (asyncpg.ProgramLimitExceededError, asyncpg.DataError) as error:
        raise SnapshotRefused(f"PostgreSQL refuses a look-up: {error}") from error
    except asyncpg.InternalServerError as error:
        # PostgreSQL has no code of its own for a value of more than 1 GiB, and never translates this message.
        if "invalid memory alloc request size" not in str(error):
            raise
        raise SnapshotRefused(f"PostgreSQL refuses a look-up: {error}") from error


@dataclass(frozen=True, slots=True)
class Rows:
    """Earlier entries of the needs' commands, and the orgs of the needs by id."""

    orgs: Mapping[str, LoadedOrg]
    entries: FoundEntries = field(default_factory=dict)


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
        """A snapshot for each partition; all of them are of the same moment. Raises SnapshotRefused."""
        with translated(), _refusals():
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
                raise DatabaseAway("a user was deleted while being pinned") from error
            pinned = await self._pool.fetch(sql.PINNED_USERS, asked)
        return frozenset(user_ids).difference(row["user_id"] for row in pinned)

    async def _read(self, connection: Connection, needs: Mapping[int, Needs]) -> dict[int, Snapshot]:
        orgs = [each for need in needs.values() for each in need.orgs]
        if all(each.generation is not None for each in orgs):
            known = await _find_all(connection, needs, orgs)
            if known is not None:
                return snapshots(needs, known, Rows(orgs=_cached_orgs(orgs, known)))
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            known = await find_known(connection, needs, orgs)
            return snapshots(needs, known, await load_rows(connection, needs, orgs, known))


async def _find_all(connection: Connection, needs: Mapping[int, Needs], orgs: Sequence[OrgNeeds]) -> Known | None:
    """Tries to find all in one statement, because a transaction takes three more round trips. If runs or dead letters
    are named without their connections, a first statement finds these. None if a transaction is necessary.
    """
    known = await find_known(connection, needs, orgs)
    if known.is_complete(orgs) and known.lacks_children(orgs) and not known.children.unhashed:
        known = await find_known(connection, needs, orgs, known.children)
    return known if known.is_complete(orgs) and not known.lacks_children(orgs) else None


def snapshots(needs: Mapping[int, Needs], known: Known, rows: Rows) -> dict[int, Snapshot]:
    """A snapshot for each partition. Adds the time that loading took to PostgreSQL's time, since it would otherwise
    look like clock skew.
    """
    now_us = known.now_us + int((time.monotonic() - known.read_at) * 1e6)
    next_offsets = {partition: each.next_offset for partition, each in known.checkpoints.items()}
    return {
        partition: Snapshot(
            checkpoint=known.checkpoints.get(partition, NOTHING_PROJECTED),
            database_us=now_us,
            entries=rows.entries,
            orgs={each.org_id: rows.orgs[each.org_id] for each in need.orgs},
            known_users=known.users,
            pinned_users=known.pinned,
            taken_ids=known.taken_ids(need),
            next_offsets=next_offsets if need.next_offsets else {},
        )
        for partition, need in needs.items()
    }


def _cached_orgs(orgs: Sequence[OrgNeeds], known: Known) -> dict[str, LoadedOrg]:
    """The orgs of which the shard has a valid copy, with their children."""
    ids = [each.org_id for each in orgs]
    return {
        org_id: LoadedOrg(None, False, *known.standing(org_id), known.children.children_of(org_id)) for org_id in ids
    }


async def load_rows(connection: Connection, needs: Mapping[int, Needs], orgs: Sequence[OrgNeeds], known: Known) -> Rows:
    """What the statement `known` leaves out, if the needs require it."""
    entries = await _load_outcomes(connection, needs, known.entry_ids) if known.entry_ids else {}
    return Rows(await _load_orgs(connection, orgs, known), entries)


async def _load_orgs(connection: Connection, orgs: Sequence[OrgNeeds], known: Known) -> dict[str, LoadedOrg]:
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
