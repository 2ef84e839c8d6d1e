"""Who has to wait while an org is healed, and what a killed healing leaves behind."""

import asyncio
import signal

import pytest

from daybook_contracts.entries import facts
from daybook_infra.runtime.postgres.connections import Pool
from daybook_infra.runtime.settings import Settings
from daybook_projector.rebuild import sessions
from daybook_projector.rebuild.refusal import RebuildRefused
from support.healing import (
    BACKENDS,
    LOCK_MEMBER,
    LOCK_ORG,
    heal,
    locked,
    older_than,
    post_rest,
    run_heal,
    start_heal,
    wait_until_blocked,
)
from support.logbook import Logbook, log_with, org_in, user_in
from support.poison import ANN, BOB, ORG, OTHER_ORG, busy
from support.projecting import check_fold, database, post, quarantine, tables, until
from support.stack import FreshSettings


async def is_disconnected(pool: Pool, name: str) -> bool:
    return await pool.fetch(BACKENDS, name) == []


async def quarantined_org(pool: Pool) -> Logbook:
    """An org in quarantine with a manually changed member, so that healing changes that row first."""
    log = busy()
    assert len(await post(pool, log, kind=older_than(facts.OrgRenamed))) == 1
    await pool.execute("UPDATE org_members SET role = 'viewer' WHERE org_id = $1", ORG)
    return log


async def test_all_orgs_are_projected_while_the_rows_of_one_are_healed(settings: Settings, pool: Pool) -> None:
    log = await quarantined_org(pool)
    async with locked(pool, LOCK_MEMBER):
        healing = asyncio.create_task(heal(settings, ORG))
        await wait_until_blocked(pool)
        log.add(OTHER_ORG, ANN, facts.OrgRenamed(name="meanwhile"))
        log.add(ORG, ANN, facts.MemberUpdated(role="viewer", user_id=BOB))
        await post_rest(pool, log)
        assert (await tables(pool))["orgs"][OTHER_ORG,][0] == "meanwhile"
    assert (await healing).entries == len(log.records[0]) - 4
    await check_fold(pool, log)


async def test_only_the_partition_of_the_org_waits_for_the_last_step(fresh_settings: FreshSettings) -> None:
    settings = fresh_settings(partitions=2)
    ann, here, neighbour, there = user_in(0, 2), org_in(0, 2), org_in(0, 2, 1), org_in(1, 2)
    log = log_with(here, neighbour, there, users=[ann], partitions=2)
    log.add(here, ann, facts.OrgRenamed(name="b"))
    async with database(settings) as pool:
        await post(pool, log, kind=older_than(facts.OrgRenamed))
        async with locked(pool, LOCK_ORG, here):
            healing = asyncio.create_task(heal(settings, here))
            await wait_until_blocked(pool)
            log.add(there, ann, facts.OrgRenamed(name="meanwhile"))
            log.add(neighbour, ann, facts.OrgRenamed(name="after"))
            await post_rest(pool, log, 1)
            waiting = asyncio.create_task(post_rest(pool, log, 0))
            await wait_until_blocked(pool, "test")
            found = await tables(pool)
            assert (found["orgs"][there,][0], found["orgs"][neighbour,][0]) == ("meanwhile", "a")
        await asyncio.gather(healing, waiting)
        await check_fold(pool, log)


async def test_healing_waits_for_a_running_batch_and_includes_it(settings: Settings, pool: Pool) -> None:
    log = await quarantined_org(pool)
    log.add(OTHER_ORG, ANN, facts.OrgRenamed(name="meanwhile"))
    log.add(ORG, ANN, facts.OrgRenamed(name="included"))
    async with locked(pool, LOCK_ORG, OTHER_ORG):
        batch = asyncio.create_task(post_rest(pool, log))
        await wait_until_blocked(pool, "test")
        healing = asyncio.create_task(heal(settings, ORG))
        await wait_until_blocked(pool)
    await batch
    assert (await healing).released
    assert (await tables(pool))["orgs"][ORG,][0] == "included"
    await check_fold(pool, log)


async def test_of_two_simultaneous_healings_one_finds_the_work_done(settings: Settings, pool: Pool) -> None:
    log = await quarantined_org(pool)
    both = await asyncio.gather(heal(settings, ORG), heal(settings, ORG))
    assert sorted(healed.released for healed in both) == [False, True]
    await check_fold(pool, log)
    assert await pool.fetchval("SELECT generation FROM daybook.quarantine") == 2


@pytest.mark.parametrize("lock", [LOCK_MEMBER, LOCK_ORG], ids=["before the last step", "in the last step"])
async def test_a_killed_healing_changes_nothing_and_can_be_repeated(settings: Settings, pool: Pool, lock: str) -> None:
    log = await quarantined_org(pool)
    before = await tables(pool), await quarantine(pool)
    async with locked(pool, lock):
        process = await start_heal(settings, ORG)
        await wait_until_blocked(pool, "daybook-heal")
        process.kill()
        await process.communicate()
        # Even a killed healing that was waiting for a lock releases the locks that it holds, long before the 20 s
        # after which a healing gives up.
        await until(lambda: is_disconnected(pool, "daybook-heal"), "the healing is disconnected", seconds=10)
    assert process.returncode == -signal.SIGKILL
    assert (await tables(pool), await quarantine(pool)) == before
    assert (await run_heal(settings, ORG)).code == 0
    await check_fold(pool, log)


async def test_an_interrupted_healing_says_so_and_changes_nothing(settings: Settings, pool: Pool) -> None:
    await quarantined_org(pool)
    async with locked(pool, LOCK_MEMBER):
        process = await start_heal(settings, ORG)
        await wait_until_blocked(pool, "daybook-heal")
        process.send_signal(signal.SIGINT)
        output = await asyncio.wait_for(process.communicate(), 20)
    assert (process.returncode, *output) == (130, b"", b"interrupted: run the command again to start over\n")
    assert len(await quarantine(pool)) == 1


async def test_a_healing_gives_up_on_a_row_that_stays_locked_and_changes_nothing(
    settings: Settings, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "SESSION", "SET lock_timeout = '100ms'")
    await quarantined_org(pool)
    before = await tables(pool), await quarantine(pool)
    async with locked(pool, LOCK_MEMBER):
        with pytest.raises(
            RebuildRefused, match=r"^another transaction .*: run the command again; nothing was changed$"
        ):
            await heal(settings, ORG)
    assert (await tables(pool), await quarantine(pool)) == before
