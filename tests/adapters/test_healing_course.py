"""Who waits while an org is healed, and for how long; and what is left of a healing that was killed."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from daybook_contracts.entries import facts
from daybook_infra.runtime.postgres.connections import Pool
from daybook_projector.healing import course
from daybook_projector.healing.unhealable import Unhealable
from support.healing import heal, heal_at_a_shell, older_than, post_rest, start_heal
from support.logbook import Logbook, org_in, user_in
from support.poison import ANN, BOB, HURT, WELL, busy
from support.projecting import database, expected, post, quarantine, tables, until
from support.stack import FreshSettings
from support.tables import differences

HELD_MEMBER = "SELECT FROM org_members WHERE org_id = $1 FOR UPDATE"
# Those who only refer to the org are let through.
HELD_ORG = "SELECT FROM orgs WHERE id = $1 FOR NO KEY UPDATE"
BACKENDS = "SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE application_name = $1"


@asynccontextmanager
async def held(pool: Pool, statement: str, org_id: str = HURT) -> AsyncIterator[None]:
    """A row that the healing must change is somebody else's meanwhile."""
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(statement, org_id)
        yield


async def blocked(pool: Pool, name: str = "heal") -> None:
    async def is_blocked() -> bool:
        return any(row[0] for row in await pool.fetch(BACKENDS, name))

    await until(is_blocked, f"{name} waits for a lock")


async def gone(pool: Pool, name: str) -> None:
    async def is_gone() -> bool:
        return await pool.fetch(BACKENDS, name) == []

    # The wait for a lock alone would end it after 20.
    await until(is_gone, f"no connection of {name}", seconds=10)


async def hurt(pool: Pool) -> Logbook:
    """A member was changed behind the log's back, so that healing has to change that row first."""
    log = busy()
    assert len(await post(pool, log, kind=older_than(facts.OrgRenamed))) == 1
    await pool.execute("UPDATE org_members SET role = 'viewer' WHERE org_id = $1", HURT)
    return log


async def test_everybody_flows_on_while_the_orgs_rows_are_put_right(fresh_settings: FreshSettings) -> None:
    settings = fresh_settings(partitions=1)
    async with database(settings) as pool:
        log = await hurt(pool)
        async with held(pool, HELD_MEMBER):
            healing = asyncio.create_task(heal(settings, HURT))
            await blocked(pool)
            log.add(WELL, ANN, facts.OrgRenamed(name="meanwhile"))
            log.add(HURT, ANN, facts.MemberUpdated(role="viewer", user_id=BOB))
            await post_rest(pool, log)
            assert (await tables(pool))["orgs"][WELL,][0] == "meanwhile"
        assert (await healing).entries == len(log.records[0]) - 4
        assert differences(expected(log), await tables(pool)) == []
        assert await quarantine(pool) == []


async def test_only_the_orgs_own_partition_waits_for_the_last_step(fresh_settings: FreshSettings) -> None:
    settings, log = fresh_settings(partitions=2), Logbook(2)
    ann, here, neighbour, there = user_in(0, 2), org_in(0, 2), org_in(0, 2, 1), org_in(1, 2)
    log.register(ann)
    for org_id in (here, neighbour, there):
        log.add(org_id, ann, facts.OrgCreated(name="a"))
    log.add(here, ann, facts.OrgRenamed(name="b"))
    async with database(settings) as pool:
        await post(pool, log, kind=older_than(facts.OrgRenamed))
        async with held(pool, HELD_ORG, here):
            healing = asyncio.create_task(heal(settings, here))
            await blocked(pool)
            log.add(there, ann, facts.OrgRenamed(name="meanwhile"))
            log.add(neighbour, ann, facts.OrgRenamed(name="after"))
            await post_rest(pool, log, 1)
            waiting = asyncio.create_task(post_rest(pool, log, 0))
            await blocked(pool, "test")
            found = await tables(pool)
            assert (found["orgs"][there,][0], found["orgs"][neighbour,][0]) == ("meanwhile", "a")
        await asyncio.gather(healing, waiting)
        assert differences(expected(log), await tables(pool)) == []


async def test_the_healing_waits_for_a_batch_under_way_and_takes_it_in(fresh_settings: FreshSettings) -> None:
    settings = fresh_settings(partitions=1)
    async with database(settings) as pool:
        log = await hurt(pool)
        async with pool.acquire() as connection, connection.transaction():
            await connection.execute("SELECT FROM daybook.checkpoints FOR UPDATE")
            healing = asyncio.create_task(heal(settings, HURT))
            await blocked(pool)
        assert (await healing).released
        assert differences(expected(log), await tables(pool)) == []


async def test_of_two_healings_at_once_one_does_it_and_the_other_finds_it_done(fresh_settings: FreshSettings) -> None:
    settings = fresh_settings(partitions=1)
    async with database(settings) as pool:
        log = await hurt(pool)
        both = await asyncio.gather(heal(settings, HURT), heal(settings, HURT))
        assert sorted(one.released for one in both) == [False, True]
        assert differences(expected(log), await tables(pool)) == []
        assert await pool.fetchval("SELECT generation FROM daybook.quarantine") == 2


@pytest.mark.parametrize("where", [HELD_MEMBER, HELD_ORG], ids=["before the last step", "in the last step"])
async def test_a_healing_that_is_killed_leaves_nothing_behind_and_can_be_repeated(
    fresh_settings: FreshSettings, where: str
) -> None:
    settings = fresh_settings(partitions=1)
    async with database(settings) as pool:
        log = await hurt(pool)
        before = await tables(pool), await quarantine(pool)
        async with held(pool, where):
            process = await start_heal(settings, HURT)
            await blocked(pool, "daybook-heal")
            process.kill()
            await process.communicate()
            # Its locks are gone, though what it waited for is not there yet.
            await gone(pool, "daybook-heal")
        assert process.returncode == -signal.SIGKILL
        assert (await tables(pool), await quarantine(pool)) == before
        assert (await heal_at_a_shell(settings, HURT)).code == 0
        assert differences(expected(log), await tables(pool)) == []
        assert await quarantine(pool) == []


async def test_an_interrupted_healing_says_so(fresh_settings: FreshSettings) -> None:
    settings = fresh_settings(partitions=1)
    async with database(settings) as pool:
        await hurt(pool)
        async with held(pool, HELD_MEMBER):
            process = await start_heal(settings, HURT)
            await blocked(pool, "daybook-heal")
            process.send_signal(signal.SIGINT)
            said = await asyncio.wait_for(process.communicate(), 20)
        assert (process.returncode, *said) == (130, b"", b"interrupted: repeat it, and it begins anew\n")
        assert len(await quarantine(pool)) == 1


async def test_a_row_that_stays_locked_ends_the_healing_and_changes_nothing(
    fresh_settings: FreshSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = fresh_settings(partitions=1)
    monkeypatch.setattr(course, "SESSION", "SET lock_timeout = '100ms'")
    async with database(settings) as pool:
        await hurt(pool)
        before = await tables(pool), await quarantine(pool)
        async with held(pool, HELD_MEMBER):
            with pytest.raises(Unhealable, match=r"^another transaction .*: repeat it; nothing was changed$"):
                await heal(settings, HURT)
        assert (await tables(pool), await quarantine(pool)) == before
