"""What a shard reads from a real PostgreSQL before it decides: one consistent snapshot."""

import asyncio
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from daybook_command.domain.references import ChildKind, ChildRef, PendingLetters, with_alerts
from daybook_command.postgres.snapshot_reader import SnapshotReader
from daybook_command.postgres.snapshot_sql import HOLDERS_BY_TABLE
from daybook_command.shard.snapshot import Needs, OrgNeeds
from daybook_contracts.log.head import NOTHING_PROJECTED, Checkpoint, Head
from daybook_infra.runtime.errors import DatabaseAway
from daybook_infra.runtime.postgres.connections import OwnConnection, Pool, keep_session, open_pool
from daybook_infra.runtime.settings import Settings
from support.driving import eventually
from support.planted_rows import put_activity, put_alert, put_connection, put_dead_letters, put_org, put_runs
from support.projecting import is_lock_awaited

ANN, BOB, NOBODY = (str(uuid4()) for _ in range(3))
ORG, OTHER, PROJECT = (str(uuid4()) for _ in range(3))
HASH = "ab" * 32
SHARED_DATABASE = True


@pytest.fixture
async def filled_pool(pool: Pool) -> Pool:
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


async def test_each_partition_gets_its_own_checkpoint(filled_pool: Pool) -> None:
    reader = SnapshotReader(filled_pool)
    snapshots = await reader.read({3: Needs(), 4: Needs()})
    assert snapshots[3].checkpoint == Checkpoint(9, Head(7, HASH), 8) == await reader.checkpoint(3)
    assert snapshots[4].checkpoint == NOTHING_PROJECTED == await reader.checkpoint(4)


async def test_a_cached_org_is_read_again_only_after_a_quarantine(filled_pool: Pool) -> None:
    reader = SnapshotReader(filled_pool)
    needs = Needs(orgs=(OrgNeeds(ORG, 0),))
    before = (await reader.read({3: needs}))[3].orgs[ORG]
    assert (before.fresh, before.quarantined, before.generation) == (False, False, 0)
    await filled_pool.execute(
        "INSERT INTO daybook.quarantine (org_id, partition, position, reason) VALUES ($1, 3, 5, 'x')", ORG
    )
    during = (await reader.read({3: needs}))[3].orgs[ORG]
    assert (during.fresh, during.quarantined, during.generation) == (True, True, 1)
    await filled_pool.execute("UPDATE daybook.quarantine SET released_at = now(), generation = 2")
    after = (await reader.read({3: Needs(orgs=(OrgNeeds(ORG, 1),))}))[3].orgs[ORG]
    assert (after.fresh, after.quarantined, after.generation) == (True, False, 2)


@pytest.mark.parametrize("table", HOLDERS_BY_TABLE)
@pytest.mark.parametrize("backwards", [False, True], ids=["ascending", "descending"])
async def test_an_id_that_two_orgs_choose_at_the_same_time_goes_to_one_of_them(
    pool: Pool, table: str, *, backwards: bool
) -> None:
    reader, chosen = SnapshotReader(pool), str(uuid4())
    org_ids = sorted([ORG, OTHER], reverse=backwards)
    needs = {3: Needs(chosen_ids=tuple((table, chosen, org_id) for org_id in org_ids))}
    owner = min(org_ids)
    for _ in range(2):
        assert (await reader.read(needs))[3].taken_ids == {(max(org_ids), chosen)}
    assert await pool.fetchval("SELECT org_id::text FROM daybook.reserved_ids WHERE id = $1", chosen) == owner


async def test_an_id_in_use_is_taken_without_a_reservation(filled_pool: Pool) -> None:
    needs = Needs(chosen_ids=(("projects", PROJECT, OTHER),))
    assert (await SnapshotReader(filled_pool).read({3: needs}))[3].taken_ids == {(OTHER, PROJECT)}


def needs_in_memory(org_id: str, *named: ChildRef, filtered: PendingLetters | None = None, **more: Any) -> Needs:
    """The needs of a command whose org the shard has in memory."""
    return Needs(orgs=(OrgNeeds(org_id, 0, named=with_alerts(named), filtered=filtered),), **more)


async def test_an_org_in_memory_needs_no_transaction(settings: Settings, pool: Pool) -> None:
    org_id, project_id = await put_org(pool)
    connection_id = await put_connection(pool, org_id, project_id)
    [run], letters = await put_runs(pool, connection_id, ["running"]), {str(uuid4()) for _ in range(2)}
    await put_activity(pool, connection_id)
    await put_dead_letters(pool, connection_id, letters)
    connection, child = ChildRef(ChildKind.CONNECTION, connection_id), ChildRef(ChildKind.RUN, run)
    all_letters, retried = [PendingLetters(connection_id, most) for most in (None, 9)]
    chosen = (("projects", str(uuid4()), org_id),)
    statements: list[str] = []

    async def watch(session: OwnConnection) -> None:
        session.add_query_logger(lambda record: statements.append(record.query))

    async with await open_pool(settings, "test", reset=keep_session, init=watch) as watched:
        reader = SnapshotReader(watched)
        await reader.read({3: Needs()})  # asyncpg looks up the types of the columns once
        for needs, count, letters_found in (
            (needs_in_memory(org_id, connection), 1, set()),
            (needs_in_memory(org_id, connection, filtered=all_letters), 1, letters),
            (needs_in_memory(org_id, connection, filtered=retried), 1, letters),
            (needs_in_memory(org_id, connection, chosen_ids=chosen), 2, set()),
            (needs_in_memory(org_id, child), 2, set()),
        ):
            statements.clear()
            children = (await reader.read({3: needs}))[3].orgs[org_id].children
            assert [set(children.activities), set(children.dead_letters)] == [{connection_id}, letters_found]
            assert len(statements) == count, statements


@pytest.mark.parametrize(
    ("config", "key_names"),
    [
        ('{"secrets": null}', set()),
        ('{"secrets": ["x"]}', set()),
        ('{"secrets": "x"}', set()),
        ('{"secrets": {"a": {"b": "x"}, "c": ["x"], "d": 1, "e": null, "f": "y"}}', {"y"}),
        ("[]", set()),
    ],
)
async def test_malformed_secrets_in_an_old_row_are_ignored(pool: Pool, config: str, key_names: set[str]) -> None:
    org_id, project_id = await put_org(pool)
    connection_id = await put_connection(pool, org_id, project_id, config)
    org = (await SnapshotReader(pool).read({3: Needs(orgs=(OrgNeeds(org_id),))}))[3].orgs[org_id].org
    assert org is not None
    assert org.connections[connection_id].key_names == key_names


@pytest.mark.parametrize(
    "table", ["projects", "source_connections", "sync_runs", "dlq_events", "integration_alerts", "secret_refs"]
)
async def test_a_chosen_id_held_by_another_org_is_taken(pool: Pool, table: str) -> None:
    org_id, project_id = await put_org(pool)
    connection_id = await put_connection(pool, org_id, project_id)
    [run] = await put_runs(pool, connection_id, ["success"])
    letter, alert, reference = str(uuid4()), await put_alert(pool, project_id, str(uuid4())), str(uuid4())
    await put_dead_letters(pool, connection_id, [letter])
    await pool.execute("INSERT INTO secret_refs VALUES ($1, $2, 'x', 'env:X')", reference, org_id)
    held = {
        "projects": project_id,
        "source_connections": connection_id,
        "sync_runs": run,
        "dlq_events": letter,
        "integration_alerts": alert,
        "secret_refs": reference,
    }
    reader = SnapshotReader(pool)
    other_id, free = str(uuid4()), str(uuid4())
    needs = ((table, held[table], other_id), (table, held[table], org_id), (table, free, org_id))
    await pool.execute("INSERT INTO daybook.reserved_ids (id, org_id) VALUES ($1, $2)", held[table], org_id)
    for in_some_order in (needs, needs[::-1]):
        found = await reader.read({3: Needs(chosen_ids=in_some_order)})
        assert found[3].taken_ids == {(other_id, held[table])}


async def test_reading_pins_no_user(filled_pool: Pool) -> None:
    snapshot = (await SnapshotReader(filled_pool).read({3: Needs(users=(BOB, NOBODY))}))[3]
    assert [snapshot.known_users, snapshot.pinned_users] == [{BOB}, set()]
    assert await filled_pool.fetchval("SELECT count(*) FROM daybook.known_users") == 0


async def test_a_pinned_user_cannot_be_deleted_and_a_missing_user_is_returned(filled_pool: Pool) -> None:
    reader = SnapshotReader(filled_pool)
    await filled_pool.execute("DELETE FROM project_members; DELETE FROM org_members")
    assert await reader.pin({BOB, NOBODY}) == {NOBODY}
    assert await reader.pin({BOB}) == frozenset()
    assert (await reader.read({3: Needs(users=(ANN, BOB))}))[3].pinned_users == {BOB}
    with pytest.raises(asyncpg.RestrictViolationError):
        await filled_pool.execute("DELETE FROM auth.users WHERE id = $1", BOB)
    await filled_pool.execute("DELETE FROM auth.users WHERE id = $1", ANN)


async def test_pinning_a_user_who_is_being_deleted_raises_an_error_to_retry(filled_pool: Pool) -> None:
    reader = SnapshotReader(filled_pool)
    deleted = str(uuid4())
    await filled_pool.execute("INSERT INTO auth.users VALUES ($1, now())", deleted)
    async with filled_pool.acquire() as other, other.transaction():
        await other.execute("DELETE FROM auth.users WHERE id = $1", deleted)
        pinning = asyncio.create_task(reader.pin({deleted}))
        await eventually(lambda: is_lock_awaited(filled_pool))
    with pytest.raises(DatabaseAway):
        await pinning
    assert await reader.pin({deleted}) == {deleted}


async def test_the_checkpoints_of_all_partitions_are_read_on_request(filled_pool: Pool) -> None:
    reader = SnapshotReader(filled_pool)
    await filled_pool.execute("INSERT INTO daybook.checkpoints VALUES (5, 4, 3, $1, 3)", HASH)
    snapshots = await reader.read({3: Needs(), 4: Needs(next_offsets=True)})
    assert snapshots[4].next_offsets == {3: 9, 5: 4}
    assert (await reader.read({3: Needs()}))[3].next_offsets == {}


async def test_the_database_time_is_taken_after_a_slow_read(filled_pool: Pool) -> None:
    reader = SnapshotReader(filled_pool)
    async with filled_pool.acquire() as other, other.transaction():
        await other.execute("LOCK TABLE orgs IN ACCESS EXCLUSIVE MODE")
        reading = asyncio.create_task(reader.read({3: Needs(orgs=(OrgNeeds(ORG),))}))
        await eventually(lambda: is_lock_awaited(filled_pool))
        released_us = await other.fetchval("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint")
    assert (await reading)[3].database_us >= released_us
