"""What a shard reads from the real PostgreSQL before it decides: all of one moment, and nothing that is not so."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import asyncpg
import pytest

from daybook_command.postgres.snapshot_reader import SnapshotReader
from daybook_command.postgres.snapshot_sql import HOLDERS
from daybook_command.shard.snapshot import Needs, OrgNeeds
from daybook_contracts.log.head import NOTHING_PROJECTED, Checkpoint, Head
from daybook_infra.runtime.errors import DatabaseAway
from daybook_infra.runtime.postgres.connections import Pool, close_pool, open_pool
from support.driving import eventually
from support.stack import FreshSettings

ANN, BOB, NOBODY = (str(uuid4()) for _ in range(3))
ORG, OTHER, PROJECT = (str(uuid4()) for _ in range(3))
HASH = "ab" * 32


@pytest.fixture
async def pool(fresh_settings: FreshSettings) -> AsyncIterator[Pool]:
    pool = await open_pool(fresh_settings(), "test")
    yield pool
    await close_pool(pool)


@pytest.fixture
async def filled(pool: Pool) -> Pool:
    """ORG with two members and a project, projected up to position 7 of partition 3."""
    await pool.execute("INSERT INTO auth.users VALUES ($1, now()), ($2, now())", ANN, BOB)
    await pool.execute("INSERT INTO orgs VALUES ($1, 'Acme', now()), ($2, 'Other', now())", ORG, OTHER)
    await pool.execute(
        "INSERT INTO org_members VALUES ($1, $2, 'owner', now()), ($1, $3, 'viewer', now())", ORG, ANN, BOB
    )
    await pool.execute("INSERT INTO projects VALUES ($1, $2, 'Site', now())", PROJECT, ORG)
    await pool.execute("INSERT INTO project_members VALUES ($1, $2, 'viewer', now())", PROJECT, BOB)
    await pool.execute("INSERT INTO daybook.checkpoints VALUES (3, 9, 7, $1, 8)", HASH)
    return pool


async def test_an_org_comes_with_its_members_projects_and_checkpoint(filled: Pool) -> None:
    reader = SnapshotReader(filled)
    needs = Needs(orgs=(OrgNeeds(ORG), OrgNeeds(NOBODY)), users=(ANN, NOBODY))
    snapshot = (await reader.read({3: needs}))[3]
    assert snapshot.checkpoint == Checkpoint(9, Head(7, HASH), 8) == await reader.checkpoint(3)
    assert snapshot.known_users == {ANN}
    org = snapshot.orgs[ORG].org
    assert org is not None
    assert (org.name, dict(org.members), org.owners) == ("Acme", {ANN: "owner", BOB: "viewer"}, 1)
    assert {key: (project.name, dict(project.members)) for key, project in org.projects.items()} == {
        PROJECT: ("Site", {BOB: "viewer"})
    }
    assert snapshot.orgs[NOBODY].org is None


async def test_each_partition_gets_its_own_checkpoint(filled: Pool) -> None:
    reader = SnapshotReader(filled)
    snapshots = await reader.read({3: Needs(), 4: Needs()})
    assert snapshots[3].checkpoint.next_offset == 9
    assert snapshots[4].checkpoint == NOTHING_PROJECTED


async def test_a_copy_in_memory_is_read_anew_only_after_a_quarantine(filled: Pool) -> None:
    reader = SnapshotReader(filled)
    needs = Needs(orgs=(OrgNeeds(ORG, 0),))
    before = (await reader.read({3: needs}))[3].orgs[ORG]
    assert (before.fresh, before.quarantined, before.generation) == (False, False, 0)
    await filled.execute(
        "INSERT INTO daybook.quarantine (org_id, partition, position, reason) VALUES ($1, 3, 5, 'x')", ORG
    )
    during = (await reader.read({3: needs}))[3].orgs[ORG]
    assert (during.fresh, during.quarantined, during.generation) == (True, True, 1)
    await filled.execute("UPDATE daybook.quarantine SET released_at = now(), generation = 2")
    after = (await reader.read({3: Needs(orgs=(OrgNeeds(ORG, 1),))}))[3].orgs[ORG]
    assert (after.fresh, after.quarantined, after.generation) == (True, False, 2)


async def test_a_chosen_id_belongs_to_the_first_org_that_asked(filled: Pool) -> None:
    reader = SnapshotReader(filled)
    chosen = str(uuid4())
    mine = Needs(chosen_ids=(("projects", chosen, ORG),))
    theirs = Needs(chosen_ids=(("projects", chosen, OTHER), ("projects", PROJECT, OTHER)))
    assert (await reader.read({3: mine}))[3].taken_ids == frozenset()
    assert (await reader.read({4: theirs}))[4].taken_ids == {(OTHER, chosen), (OTHER, PROJECT)}
    assert (await reader.read({3: mine}))[3].taken_ids == frozenset()


@pytest.mark.parametrize("table", HOLDERS)
@pytest.mark.parametrize("backwards", [False, True], ids=["first come", "last come"])
async def test_of_two_orgs_that_choose_one_id_at_once_one_gets_it(pool: Pool, table: str, *, backwards: bool) -> None:
    reader, chosen = SnapshotReader(pool), str(uuid4())
    asking = sorted([ORG, OTHER], reverse=backwards)
    needs = {3: Needs(chosen_ids=tuple((table, chosen, org_id) for org_id in asking))}
    owner = min(asking)
    for _ in range(2):
        assert (await reader.read(needs))[3].taken_ids == {(max(asking), chosen)}
    assert await pool.fetchval("SELECT org_id::text FROM daybook.reserved_ids WHERE id = $1", chosen) == owner


@pytest.mark.parametrize("backwards", [False, True], ids=["first come", "last come"])
async def test_an_id_that_one_of_the_asking_orgs_holds_is_taken_for_the_other(filled: Pool, *, backwards: bool) -> None:
    await filled.execute("INSERT INTO daybook.reserved_ids (id, org_id) VALUES ($1, $2)", PROJECT, ORG)
    asking = sorted([ORG, OTHER], reverse=backwards)
    needs = Needs(chosen_ids=tuple(("projects", PROJECT, org_id) for org_id in asking))
    assert (await SnapshotReader(filled).read({3: needs}))[3].taken_ids == {(OTHER, PROJECT)}


async def test_a_look_up_pins_nobody(filled: Pool) -> None:
    snapshot = (await SnapshotReader(filled).read({3: Needs(users=(BOB, NOBODY))}))[3]
    assert [snapshot.known_users, snapshot.pinned_users] == [{BOB}, set()]
    assert await filled.fetchval("SELECT count(*) FROM daybook.known_users") == 0


async def test_a_pinned_user_cannot_be_deleted_and_one_who_is_gone_is_told(filled: Pool) -> None:
    reader = SnapshotReader(filled)
    await filled.execute("DELETE FROM project_members; DELETE FROM org_members")
    assert await reader.pin({BOB, NOBODY}) == {NOBODY}
    assert await reader.pin({BOB}) == frozenset()
    assert (await reader.read({3: Needs(users=(ANN, BOB))}))[3].pinned_users == {BOB}
    with pytest.raises(asyncpg.RestrictViolationError):
        await filled.execute("DELETE FROM auth.users WHERE id = $1", BOB)
    await filled.execute("DELETE FROM auth.users WHERE id = $1", ANN)


async def test_a_user_who_is_deleted_while_it_is_pinned_is_tried_again(filled: Pool) -> None:
    reader = SnapshotReader(filled)
    gone = str(uuid4())
    await filled.execute("INSERT INTO auth.users VALUES ($1, now())", gone)
    async with filled.acquire() as other, other.transaction():
        await other.execute("DELETE FROM auth.users WHERE id = $1", gone)
        pinning = asyncio.create_task(reader.pin({gone}))
        await eventually(lambda: waiting(filled))
    with pytest.raises(DatabaseAway):
        await pinning
    assert await reader.pin({gone}) == {gone}


async def test_the_checkpoints_of_all_partitions_come_where_they_are_wanted(filled: Pool) -> None:
    reader = SnapshotReader(filled)
    await filled.execute("INSERT INTO daybook.checkpoints VALUES (5, 4, 3, $1, 3)", HASH)
    snapshots = await reader.read({3: Needs(), 4: Needs(next_offsets=True)})
    assert snapshots[4].next_offsets == {3: 9, 5: 4}
    assert (await reader.read({3: Needs()}))[3].next_offsets == {}


async def test_an_org_that_takes_long_to_read_does_not_pass_for_a_wrong_clock(filled: Pool) -> None:
    reader = SnapshotReader(filled)
    async with filled.acquire() as other, other.transaction():
        await other.execute("LOCK TABLE orgs IN ACCESS EXCLUSIVE MODE")
        reading = asyncio.create_task(reader.read({3: Needs(orgs=(OrgNeeds(ORG),))}))
        await eventually(lambda: waiting(filled))
        released_us = await other.fetchval("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint")
    assert (await reading)[3].database_us >= released_us


async def waiting(pool: Pool) -> bool:
    """Whether a statement waits for a lock."""
    found: bool = await pool.fetchval(
        "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')"
    )
    return found
