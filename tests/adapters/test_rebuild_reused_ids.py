"""A connection is deleted, and made again with the same id, while a rebuild follows the log: the rebuild does not bring
back the rows that were deleted with it.
"""

import asyncio

from daybook_contracts.entries import facts
from daybook_infra.runtime.postgres.connections import Pool
from daybook_infra.runtime.settings import Settings
from daybook_projector.rebuild.differences import Comparison, Difference
from daybook_projector.rebuild.jobs import NAME
from daybook_projector.rebuild.org_rebuild import open_org_rebuild
from daybook_projector.rebuild.whole_rebuild import WholeRebuild, open_whole_rebuild
from support.healing import post_rest, silent, wait_until_blocked
from support.hub_scene import connection_created
from support.logbook import Logbook, project, thing
from support.poison import ANN, ORG
from support.projecting import check_fold, post, tables
from support.rebuilding import DAMAGES, compare, full, hurt

SHARED_DATABASE = True
DAMAGE = next(each for each in DAMAGES if each.name == "a column of public.dlq_events")
"""Damage to a dead letter of the connection."""
CHILDREN = ("sync_runs", "dlq_events")


async def make_again(pool: Pool, log: Logbook) -> None:
    """Deletes the connection, which has a run and a dead letter, and makes it again with another run."""
    log.add(ORG, ANN, facts.ConnectionDeleted(connection_id=thing(1)))
    log.add(ORG, ANN, connection_created(thing(1), project(3)))
    log.add(ORG, ANN, facts.SyncStarted(connection_id=thing(1), sync_run_id=thing(30)))
    await post_rest(pool, log)


async def make_again_during_the_build(rebuilding: WholeRebuild, pool: Pool, log: Logbook) -> Comparison:
    """Returns what the rebuild has found."""
    async with pool.acquire() as connection, connection.transaction():
        # The rebuild has its snapshot when it begins to fill this table.
        await connection.execute(f"LOCK TABLE {rebuilding.work.schema}.shadow_orgs")
        comparing = asyncio.create_task(rebuilding.compare())
        await wait_until_blocked(pool, NAME)
        await make_again(pool, log)
    return await comparing


async def test_a_connection_made_again_during_the_build_keeps_no_old_rows(settings: Settings, pool: Pool) -> None:
    log = full()
    await post(pool, log)
    async with open_whole_rebuild(settings, "audit_log", silent) as rebuilding:
        assert not await make_again_during_the_build(rebuilding, pool, log)
        assert not any(await rebuilding.apply())
    await check_fold(pool, log)


async def test_a_connection_made_again_after_the_comparison_keeps_no_old_rows(settings: Settings, pool: Pool) -> None:
    log = full()
    await post(pool, log)
    await hurt(pool, DAMAGE)
    async with open_whole_rebuild(settings, "audit_log", silent) as rebuilding:
        assert (await rebuilding.compare()).differences == (Difference("public.dlq_events", other=1),)
        await make_again(pool, log)
        assert not any(await rebuilding.apply())
    await check_fold(pool, log)
    assert not await compare(settings)


async def test_a_connection_made_again_during_the_rebuild_of_its_org_keeps_no_old_rows(
    settings: Settings, pool: Pool
) -> None:
    log = full()
    await post(pool, log)
    await hurt(pool, DAMAGE)
    async with open_org_rebuild(settings, "audit_log", ORG, silent) as rebuilding:
        assert (await rebuilding.compare()).differences == (Difference("public.dlq_events", other=1),)
        await make_again(pool, log)
        assert (await rebuilding.apply()).differences == ()
    await check_fold(pool, log)
    assert not await compare(settings)


async def test_a_connection_keeps_its_rows_if_quarantine_held_back_its_deletion(settings: Settings, pool: Pool) -> None:
    log = full()
    await post(pool, log)
    before = await tables(pool)
    async with open_whole_rebuild(settings, "audit_log", silent) as rebuilding:
        log.add(ORG, ANN, facts.OrgRenamed(name="poison"), action="DANCE")
        assert not await make_again_during_the_build(rebuilding, pool, log)
        assert not any(await rebuilding.apply())
    after = await tables(pool)
    assert all(before[name] and before[name] == after[name] for name in CHILDREN)
    assert not await compare(settings)
