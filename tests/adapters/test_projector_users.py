"""Users and orgs in different partitions, on real servers: who waits for whom, and who never comes (rule 12)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from daybook_contracts.entries import facts
from daybook_infra.runtime.postgres.connections import Pool
from daybook_projector.postgres.users import AuthUsers
from support.logbook import Logbook, org_in, user_in
from support.projecting import (
    Projector,
    checkpoints,
    database,
    expected,
    projected,
    projecting,
    publish,
    quarantine,
    tables,
    until,
    wait_for,
)
from support.stack import FreshSettings
from support.tables import differences

PARTITIONS = 2
HERE, THERE = 0, 1
ORG = org_in(HERE, PARTITIONS)
ANN, BOB = user_in(HERE, PARTITIONS), user_in(THERE, PARTITIONS)


def founded_by_ann() -> Logbook:
    log = Logbook(PARTITIONS)
    log.register(ANN)
    log.add(ORG, ANN, facts.OrgCreated(name="a"))
    return log


async def waits(projector: Projector, partition: int) -> None:
    async def does_wait() -> bool:
        return projector.metric("daybook_projector_waiting", partition=str(partition)) == 1

    await until(does_wait, f"partition {partition} waits")


async def stops(projector: Projector, partition: int) -> str:
    async def has_stopped() -> bool:
        return projector.metric("daybook_projector_stopped", partition=str(partition)) == 1

    await until(has_stopped, f"partition {partition} stops")
    return projector.health.reasons[f"partition {partition}"]


@asynccontextmanager
async def held_back(pool: Pool, partition: int) -> AsyncIterator[None]:
    """Nobody can move the partition's checkpoint meanwhile."""
    await pool.execute(
        "INSERT INTO daybook.checkpoints VALUES ($1, 0, -1, repeat('0', 64), -1) ON CONFLICT DO NOTHING", partition
    )
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT FROM daybook.checkpoints WHERE partition = $1 FOR UPDATE", partition)
        yield


async def test_a_partition_waits_for_a_user_whose_own_partition_is_behind(fresh_settings: FreshSettings) -> None:
    settings = fresh_settings(partitions=PARTITIONS)
    log = founded_by_ann()
    log.register(BOB)
    before = log.add(ORG, ANN, facts.OrgRenamed(name="b"))[0]
    place = log.add(ORG, ANN, facts.OrgRenamed(name="c"), facts.MemberAdded(role="admin", user_id=BOB))[-1]
    async with database(settings) as pool, projecting(settings) as projector:
        async with held_back(pool, THERE):
            await publish(settings, log)
            await waits(projector, HERE)
            assert projector.health.notes == {f"partition {HERE}": f"entry {place.text} waits for user {BOB}"}
            assert f"partition {HERE}" not in projector.health.reasons
            await wait_for(pool, before)
            assert (await tables(pool))["orgs"][ORG,][0] == "b"
        await wait_for(pool, place)
        assert projector.health.notes == {}
        assert differences(expected(log), await tables(pool)) == []
        assert await quarantine(pool) == []


async def test_nobody_waits_for_a_user_who_is_there(fresh_settings: FreshSettings) -> None:
    settings = fresh_settings(partitions=PARTITIONS)
    log = founded_by_ann()
    registered = log.register(BOB)
    log.add(ORG, ANN, facts.MemberAdded(role="admin", user_id=BOB))
    async with database(settings) as pool, projecting(settings):
        async with held_back(pool, HERE):
            await publish(settings, log)
            await wait_for(pool, registered)
        await projected(pool, log)
        assert differences(expected(log), await tables(pool)) == []


async def test_partitions_that_wait_for_each_other_in_turn_all_go_on(fresh_settings: FreshSettings) -> None:
    settings = fresh_settings(partitions=PARTITIONS)
    log = Logbook(PARTITIONS)
    for number in range(20):
        ann, bob = user_in(HERE, PARTITIONS, number), user_in(THERE, PARTITIONS, number)
        here, there = org_in(HERE, PARTITIONS, number), org_in(THERE, PARTITIONS, number)
        log.register(ann)
        log.add(there, ann, facts.OrgCreated(name="there"))
        log.register(bob)
        log.add(here, bob, facts.OrgCreated(name="here"))
    await publish(settings, log)
    async with database(settings) as pool, projecting(settings):
        await projected(pool, log)
        assert differences(expected(log), await tables(pool)) == []


async def test_a_user_who_never_comes_quarantines_the_org_that_names_it_as_member(
    fresh_settings: FreshSettings,
) -> None:
    settings = fresh_settings(partitions=PARTITIONS)
    log = founded_by_ann()
    place = log.add(ORG, ANN, facts.MemberAdded(role="admin", user_id=BOB))[0]
    log.add(org_in(HERE, PARTITIONS, 1), ANN, facts.OrgCreated(name="well"))
    log.add(org_in(THERE, PARTITIONS), ANN, facts.OrgCreated(name="there"))
    await publish(settings, log)
    async with database(settings) as pool, projecting(settings) as projector:
        await projected(pool, log)
        assert await quarantine(pool) == [(ORG, place.position, 1)]
        found = await tables(pool)
        assert {name for name, _ in found["orgs"].values()} == {"a", "well", "there"}
        assert len(found["audit_log"]) == 5

        async def is_told() -> bool:
            return ORG in projector.health.notes.get("quarantine", "")

        await until(is_told, "the quarantine is told")
        assert projector.metric("daybook_projector_quarantined_orgs") == 1
        assert projector.health.ready


async def test_an_actor_who_never_comes_stops_its_partition_and_no_other(fresh_settings: FreshSettings) -> None:
    settings = fresh_settings(partitions=PARTITIONS)
    log = founded_by_ann()
    place = log.add(ORG, BOB, facts.OrgRenamed(name="b"))[0]
    async with database(settings) as pool, projecting(settings) as projector:
        await publish(settings, log)
        assert await stops(projector, HERE) == f"stopped: user {BOB}, actor of entry {place.text}, does not exist"
        begun = [len(values) for values in log.records]
        last = log.add(org_in(THERE, PARTITIONS), ANN, facts.OrgCreated(name="there"))[0]
        await publish(settings, log, begun)
        await wait_for(pool, last)
        assert (await checkpoints(pool))[HERE] == place.offset
        assert not projector.health.ready


async def test_a_user_made_later_in_the_same_partition_is_missing_at_once(fresh_settings: FreshSettings) -> None:
    settings = fresh_settings(partitions=PARTITIONS)
    log = founded_by_ann()
    late = user_in(HERE, PARTITIONS, 1)
    place = log.add(ORG, ANN, facts.MemberAdded(role="admin", user_id=late))[0]
    log.register(late)
    await publish(settings, log)
    async with database(settings) as pool, projecting(settings):
        await projected(pool, log)
        assert await quarantine(pool) == [(ORG, place.position, 1)]
        assert (late,) in (await tables(pool))["auth.users"]


async def test_nobody_waits_for_the_users_of_an_identity_provider(fresh_settings: FreshSettings) -> None:
    managed = fresh_settings(partitions=PARTITIONS)
    settings = managed.model_copy(update={"users": "external"})
    log = Logbook(PARTITIONS)
    log.add(ORG, ANN, facts.OrgCreated(name="a"))
    place = log.add(ORG, ANN, facts.MemberAdded(role="admin", user_id=BOB))[0]
    log.register(BOB)
    async with database(settings) as pool, held_back(pool, THERE), projecting(settings):
        await pool.execute("INSERT INTO auth.users VALUES ($1, now())", ANN)
        await publish(settings, log)
        await wait_for(pool, place)
        assert await quarantine(pool) == [(ORG, place.position, 1)]


async def test_a_restored_postgresql_may_know_fewer_users_than_were_seen(fresh_settings: FreshSettings) -> None:
    async with database(fresh_settings(partitions=PARTITIONS)) as pool:
        users = AuthUsers(pool, PARTITIONS, lambda _: asyncio.sleep(0, 0), managed=True)
        await pool.execute("INSERT INTO auth.users VALUES ($1, now())", ANN)
        assert not await users.absent([ANN])
        await pool.execute("DELETE FROM auth.users")
        assert not await users.absent([ANN])
        users.forget()
        assert set(await users.absent([ANN])) == {ANN}
