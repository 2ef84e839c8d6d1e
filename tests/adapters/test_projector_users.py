"""Users and orgs in different partitions, on real servers: a partition waits for a missing user until the user's own
partition is projected (docs/log.md, rule 12).
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from daybook_contracts.entries import facts
from daybook_contracts.log.head import Checkpoint
from daybook_infra.runtime.postgres.checkpoints import load_checkpoint
from daybook_infra.runtime.postgres.connections import Pool
from daybook_infra.runtime.settings import Settings
from daybook_projector.postgres.users import AuthUsers
from support.auditing import unguarded
from support.logbook import Logbook, log_with, org_in, user_in
from support.projecting import (
    check_fold,
    checkpoints,
    is_lock_awaited,
    projecting,
    publish,
    quarantine,
    tables,
    until,
    until_projected,
    wait_for,
)

PARTITIONS = 2
SETTINGS = {"partitions": PARTITIONS}
HERE, THERE = 0, 1
ORG = org_in(HERE, PARTITIONS)
ANN, BOB = user_in(HERE, PARTITIONS), user_in(THERE, PARTITIONS)


@asynccontextmanager
async def checkpoint_locked(pool: Pool, partition: int) -> AsyncIterator[None]:
    """Locks the checkpoint of the partition while the block runs, so that it cannot move."""
    await pool.execute(
        "INSERT INTO daybook.checkpoints VALUES ($1, 0, -1, repeat('0', 64), -1) ON CONFLICT DO NOTHING", partition
    )
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT FROM daybook.checkpoints WHERE partition = $1 FOR UPDATE", partition)
        yield


async def test_a_partition_waits_for_a_user_whose_own_partition_is_behind(settings: Settings, pool: Pool) -> None:
    log = log_with(ORG, users=[ANN], partitions=PARTITIONS)
    log.register(BOB)
    before = log.add(ORG, ANN, facts.OrgRenamed(name="b"))[0]
    place = log.add(ORG, ANN, facts.OrgRenamed(name="c"), facts.MemberAdded(role="admin", user_id=BOB))[-1]
    async with projecting(settings) as projector:
        async with checkpoint_locked(pool, THERE):
            await publish(settings, log)
            name, label = "daybook_projector_waiting", str(HERE)
            await until(lambda: projector.metric(name, partition=label) == 1, "the partition waits")
            assert projector.health.notes == {f"partition {HERE}": f"entry {place.text} waits for user {BOB}"}
            assert f"partition {HERE}" not in projector.health.reasons
            await wait_for(pool, before)
            assert (await tables(pool))["orgs"][ORG,][0] == "b"
        await wait_for(pool, place)
        assert projector.health.notes == {}
        await check_fold(pool, log)


async def test_an_existing_user_is_not_waited_for(settings: Settings, pool: Pool) -> None:
    """Even if the user's own partition is behind with other entries."""
    log = log_with(ORG, users=[ANN], partitions=PARTITIONS)
    log.register(BOB)
    async with projecting(settings):
        await publish(settings, log)
        await until_projected(pool, log)
        log.register(user_in(THERE, PARTITIONS, 1))
        place = log.add(ORG, ANN, facts.MemberAdded(role="admin", user_id=BOB))[0]
        async with checkpoint_locked(pool, THERE):
            await publish(settings, log)
            await wait_for(pool, place)
        await until_projected(pool, log)
        await check_fold(pool, log)


async def test_partitions_that_wait_for_each_other_in_turn_all_finish(settings: Settings, pool: Pool) -> None:
    log = Logbook(PARTITIONS)
    for number in range(20):
        ann, bob = user_in(HERE, PARTITIONS, number), user_in(THERE, PARTITIONS, number)
        here, there = org_in(HERE, PARTITIONS, number), org_in(THERE, PARTITIONS, number)
        log.register(ann)
        log.add(there, ann, facts.OrgCreated(name="there"))
        log.register(bob)
        log.add(here, bob, facts.OrgCreated(name="here"))
    await publish(settings, log)
    async with projecting(settings):
        await until_projected(pool, log)
        await check_fold(pool, log)


async def test_a_member_who_never_exists_quarantines_the_org(settings: Settings, pool: Pool) -> None:
    log = log_with(ORG, users=[ANN], partitions=PARTITIONS)
    place = log.add(ORG, ANN, facts.MemberAdded(role="admin", user_id=BOB))[0]
    log.add(org_in(HERE, PARTITIONS, 1), ANN, facts.OrgCreated(name="well"))
    log.add(org_in(THERE, PARTITIONS), ANN, facts.OrgCreated(name="there"))
    await publish(settings, log)
    async with projecting(settings) as projector:
        await until_projected(pool, log)
        assert await quarantine(pool) == [(ORG, place.position, 1)]
        found = await tables(pool)
        assert {name for name, _ in found["orgs"].values()} == {"a", "well", "there"}
        assert len(found["audit_log"]) == 5
        await until(lambda: ORG in projector.health.notes.get("quarantine", ""), "the quarantine is noted")
        assert projector.metric("daybook_projector_quarantined_orgs") == 1
        assert projector.health.ready


async def test_an_actor_who_never_exists_stops_the_partition_only(settings: Settings, pool: Pool) -> None:
    log = log_with(ORG, users=[ANN], partitions=PARTITIONS)
    place = log.add(ORG, BOB, facts.OrgRenamed(name="b"))[0]
    async with projecting(settings) as projector:
        await publish(settings, log)
        reason = f"stopped: user {BOB}, actor of entry {place.text}, does not exist"
        assert await projector.stop_reason(HERE) == reason
        last = log.add(org_in(THERE, PARTITIONS), ANN, facts.OrgCreated(name="there"))[0]
        await publish(settings, log)
        await wait_for(pool, last)
        assert (await checkpoints(pool))[HERE] == place.offset
        assert not projector.health.ready


async def test_a_user_registered_later_in_the_same_partition_is_not_waited_for(settings: Settings, pool: Pool) -> None:
    log = log_with(ORG, users=[ANN], partitions=PARTITIONS)
    late = user_in(HERE, PARTITIONS, 1)
    place = log.add(ORG, ANN, facts.MemberAdded(role="admin", user_id=late))[0]
    log.register(late)
    await publish(settings, log)
    async with projecting(settings):
        await until_projected(pool, log)
        assert await quarantine(pool) == [(ORG, place.position, 1)]
        assert (late,) in (await tables(pool))["auth.users"]


async def test_users_of_an_identity_provider_are_not_waited_for(settings: Settings, pool: Pool) -> None:
    external = settings.model_copy(update={"users": "external"})
    log = Logbook(PARTITIONS)
    log.add(ORG, ANN, facts.OrgCreated(name="a"))
    place = log.add(ORG, ANN, facts.MemberAdded(role="admin", user_id=BOB))[0]
    log.register(BOB)
    async with checkpoint_locked(pool, THERE), projecting(external):
        await pool.execute("INSERT INTO auth.users VALUES ($1, now())", ANN)
        await publish(settings, log)
        await wait_for(pool, place)
        assert await quarantine(pool) == [(ORG, place.position, 1)]


@pytest.mark.parametrize("kind", ["member", "actor"])
async def test_a_user_who_is_lost_before_the_write_is_waited_for(settings: Settings, pool: Pool, kind: str) -> None:
    """The lock holds up a batch after its user has been looked up. Meanwhile PostgreSQL loses the user, as in a
    failover to a standby that is behind.
    """
    log = log_with(ORG, users=[ANN], partitions=PARTITIONS)
    log.register(user_in(THERE, PARTITIONS, 1))
    fact = facts.MemberAdded(role="admin", user_id=BOB) if kind == "member" else facts.OrgRenamed(name="b")
    async with projecting(settings) as projector:
        await publish(settings, log)
        await until_projected(pool, log)
        standby = await load_checkpoint(pool, THERE)
        log.register(BOB)
        await publish(settings, log)
        await until_projected(pool, log)
        log.add(ORG, ANN if kind == "member" else BOB, fact)
        async with checkpoint_locked(pool, HERE):
            await publish(settings, log)
            await until(lambda: is_lock_awaited(pool), "the batch waits for the lock")
            await go_back(pool, standby)
        await until_projected(pool, log)
        assert (await quarantine(pool), projector.health.reasons) == ([], {})
        await check_fold(pool, log)


async def go_back(pool: Pool, checkpoint: Checkpoint) -> None:
    """Sets the checkpoint of THERE back, and removes BOB and the rows of the entries after it."""
    head = checkpoint.head
    row = f"{checkpoint.next_offset}, {head.position}, '{head.hash}', {checkpoint.head_offset}"
    position = f"(metadata_json ->> 'position')::int > {head.position}"
    async with pool.acquire() as connection:
        await unguarded(
            connection,
            f"DELETE FROM audit_log WHERE (metadata_json ->> 'partition')::int = {THERE} AND {position}",
            f"DELETE FROM auth.users WHERE id = '{BOB}'",
            f"DELETE FROM daybook.checkpoints WHERE partition = {THERE}",
            f"INSERT INTO daybook.checkpoints VALUES ({THERE}, {row})",
        )


async def test_forgotten_users_are_looked_up_again(pool: Pool) -> None:
    users = AuthUsers(pool, PARTITIONS, lambda _: asyncio.sleep(0, 0), managed=True)
    await pool.execute("INSERT INTO auth.users VALUES ($1, now())", ANN)
    assert not await users.find_absent([ANN])
    await pool.execute("DELETE FROM auth.users")
    assert not await users.find_absent([ANN])
    users.forget()
    assert set(await users.find_absent([ANN])) == {ANN}
