"""A rebuild while entries are projected: it follows new entries and quarantines, and is refused after a healing.
Killing it does no harm.
"""

import asyncio
import signal
from typing import get_args

import pytest

from daybook_contracts.entries import facts
from daybook_infra.runtime.failpoints import Point
from daybook_infra.runtime.postgres.connections import Pool
from daybook_infra.runtime.settings import Settings
from daybook_projector.projections.orgs import ORGS
from daybook_projector.rebuild import sessions
from daybook_projector.rebuild.differences import Difference
from daybook_projector.rebuild.jobs import NAME, read_back
from daybook_projector.rebuild.refusal import RebuildRefused
from daybook_projector.rebuild.shadow_fold import require_same
from daybook_projector.rebuild.whole_rebuild import open_whole_rebuild
from support.healing import LOCK_MEMBER, heal, locked, older_than, post_rest, silent, wait_until_blocked
from support.logbook import project, thing
from support.poison import ANN, BOB, ORG, OTHER_ORG
from support.projecting import check_fold, post, quarantine, tables
from support.rebuilding import DAMAGES, EMPTIED, LEFT_OVER, compare, full, hurt, rebuild, run_rebuild, start_rebuild

REBUILD_SCHEMAS = "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'daybook_rebuild%'"
POINTS = [point for point in get_args(Point) if point.startswith("rebuild-")]
BY_NAME = {damage.name: damage for damage in DAMAGES}
COLUMN = BY_NAME["a column of public.org_members"]


async def test_entries_after_the_comparison_are_included(settings: Settings, pool: Pool) -> None:
    log = full()
    await post(pool, log)
    await hurt(pool, BY_NAME["a missing row of public.integration_alerts"], COLUMN)
    async with open_whole_rebuild(settings, "audit_log", silent) as rebuilding:
        assert len((await rebuilding.compare()).differences) == 2
        log.add(ORG, ANN, facts.SecretRefCreated(secret_ref_id=thing(30), key_name="later", secret_id_ref="env:L"))
        for secret in (22, 9):
            log.add(ORG, ANN, facts.SecretRefDeleted(secret_ref_id=thing(secret)))
        for secret, name in ((22, "a"), (9, "b")):
            made = facts.SecretRefCreated(secret_ref_id=thing(secret), key_name=name, secret_id_ref="env:M")
            log.add(ORG, ANN, made)
        log.add(ORG, ANN, facts.ConnectionDeleted(connection_id=thing(1)))
        log.add(ORG, ANN, facts.ProjectRenamed(name="later", project_id=project(3)))
        # Changes the damaged row after it was compared, so it need not be corrected.
        log.add(ORG, ANN, facts.MemberUpdated(role="admin", user_id=BOB))
        await post_rest(pool, log)
        assert [each for each in await rebuilding.apply() if each] == [
            Difference("public.integration_alerts", missing=1)
        ]
    await check_fold(pool, log)
    assert not await compare(settings)


async def test_an_org_that_goes_into_quarantine_meanwhile_stays_there(settings: Settings, pool: Pool) -> None:
    log = full()
    await post(pool, log)
    await hurt(pool, COLUMN)
    async with open_whole_rebuild(settings, "audit_log", silent) as rebuilding:
        await rebuilding.compare()
        poison = log.add(ORG, ANN, facts.OrgRenamed(name="poison"), action="DANCE")[0]
        log.add(ORG, ANN, facts.OrgRenamed(name="later"))
        log.add(ORG, ANN, facts.ProjectCreated(name="kept", project_id=project(30)))
        log.add(OTHER_ORG, ANN, facts.OrgRenamed(name="later"))
        await post_rest(pool, log)
        await rebuilding.apply()
    assert await quarantine(pool) == [(ORG, poison.position, 1)]
    found = await tables(pool)
    assert (found["orgs"][ORG,][0], found["orgs"][OTHER_ORG,][0]) == ("unknown", "later")
    assert found["org_members"][ORG, BOB][0] == "member"
    assert (project(30),) in found["projects"]
    assert not await compare(settings)


async def test_a_rebuild_is_refused_if_an_org_was_healed_meanwhile(settings: Settings, pool: Pool) -> None:
    log = full()
    assert len(await post(pool, log, kind=older_than(facts.OrgRenamed))) == 1
    await hurt(pool, BY_NAME["a column of public.orgs"])
    async with open_whole_rebuild(settings, "audit_log", silent) as rebuilding:
        assert [each.table for each in (await rebuilding.compare()).differences] == ["public.orgs"]
        assert (await heal(settings, ORG)).released
        with pytest.raises(RebuildRefused, match=rf"^org {ORG} was healed meanwhile: run the command again; nothing"):
            await rebuilding.apply()
    await rebuild(settings)
    await check_fold(pool, log)


async def test_a_rebuild_is_refused_if_an_org_was_healed_and_went_into_quarantine_again(
    settings: Settings, pool: Pool
) -> None:
    log = full()
    assert len(await post(pool, log, kind=older_than(facts.OrgRenamed))) == 1
    async with open_whole_rebuild(settings, "audit_log", silent) as rebuilding:
        async with pool.acquire() as connection, connection.transaction():
            await connection.execute(f"LOCK TABLE {rebuilding.work.schema}.shadow_orgs")
            comparing = asyncio.create_task(rebuilding.compare())
            await wait_until_blocked(pool, NAME)
            assert (await heal(settings, ORG)).released
            log.add(ORG, ANN, facts.OrgRenamed(name="poison"), action="DANCE")
            await post_rest(pool, log)
            assert len(await quarantine(pool)) == 1
        with pytest.raises(RebuildRefused, match=f"^org {ORG} was healed meanwhile"):
            await comparing


async def test_quarantined_orgs_stay_as_quarantine_left_them(settings: Settings, pool: Pool) -> None:
    log = full()
    assert len(await post(pool, log, kind=older_than(facts.OrgRenamed))) == 1
    before = await tables(pool), await quarantine(pool)
    assert not await compare(settings)
    await hurt(pool, EMPTIED)
    await rebuild(settings)
    assert (await tables(pool), await quarantine(pool)) == before


@pytest.mark.parametrize("point", POINTS)
async def test_a_killed_rebuild_changes_nothing_and_can_be_repeated(
    settings: Settings, pool: Pool, point: Point
) -> None:
    log = full()
    await post(pool, log)
    await hurt(pool, *DAMAGES[:3], COLUMN)
    before = await tables(pool)
    killed = await run_rebuild(settings, "--yes", "--from", "audit_log", DAYBOOK_FAILPOINT=point)
    assert killed.code == -signal.SIGKILL, killed
    assert await tables(pool) == before
    assert await pool.fetchval(LEFT_OVER) == 1
    repeated = await run_rebuild(settings, "--yes", "--from", "audit_log")
    assert repeated.code == 0, repeated
    await check_fold(pool, log)
    assert await pool.fetchval(LEFT_OVER) == 0


async def test_a_rebuild_drops_only_schemas_that_a_rebuild_has_left_behind(settings: Settings, pool: Pool) -> None:
    others = {"daybook_rebuild", "daybook_rebuild_of_may", "daybook_rebuild_0123abcd_2", "daybook_rebuild_0123ABCD"}
    for name in (*others, "daybook_rebuild_0123abcd"):
        await pool.execute(f'CREATE SCHEMA "{name}"; CREATE TABLE "{name}".notes (id int)')
    await post(pool, full())
    assert not await compare(settings)
    assert {row[0] for row in await pool.fetch(REBUILD_SCHEMAS)} == others


async def test_all_partitions_wait_for_the_correction_and_no_longer(settings: Settings, pool: Pool) -> None:
    log = full()
    await post(pool, log)
    await hurt(pool, COLUMN)
    async with open_whole_rebuild(settings, "audit_log", silent) as rebuilding:
        await rebuilding.compare()
        async with locked(pool, LOCK_MEMBER):
            applying = asyncio.create_task(rebuilding.apply())
            await wait_until_blocked(pool, "daybook-rebuild")
            # No other transaction locks this org's rows, but its entries wait too.
            log.add(OTHER_ORG, ANN, facts.OrgRenamed(name="after"))
            waiting = asyncio.create_task(post_rest(pool, log))
            await wait_until_blocked(pool, "test")
            assert (await tables(pool))["orgs"][OTHER_ORG,][0] != "after"
        await asyncio.gather(applying, waiting)
    await check_fold(pool, log)


async def test_a_rebuild_gives_up_on_a_row_that_stays_locked_and_changes_nothing(
    settings: Settings, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "SESSION", "SET lock_timeout = '100ms'")
    await post(pool, full())
    await hurt(pool, *DAMAGES[:3], COLUMN)
    before = await tables(pool)
    async with locked(pool, LOCK_MEMBER):
        with pytest.raises(
            RebuildRefused, match=r"^another transaction .*: run the command again; nothing was changed$"
        ):
            await rebuild(settings)
    assert await tables(pool) == before


async def test_an_interrupted_rebuild_says_so_and_drops_its_schema(settings: Settings, pool: Pool) -> None:
    await post(pool, full())
    await hurt(pool, COLUMN)
    before = await tables(pool)
    async with locked(pool, LOCK_MEMBER):
        process = await start_rebuild(settings, "--yes", "--from", "audit_log")
        await wait_until_blocked(pool, "daybook-rebuild")
        process.send_signal(signal.SIGINT)
        _, errors = await asyncio.wait_for(process.communicate(), 20)
    assert (process.returncode, errors) == (130, b"interrupted: run the command again to start over\n")
    assert await tables(pool) == before
    assert await pool.fetchval(LEFT_OVER) == 0


async def test_a_row_that_postgresql_returns_differently_is_an_error(settings: Settings, pool: Pool) -> None:
    await post(pool, full())
    async with open_whole_rebuild(settings, "audit_log", silent) as rebuilding:
        await rebuilding.compare()
        work = rebuilding.work
        assert await asyncio.to_thread(read_back, work, ORGS) == []
        await pool.execute(f"UPDATE {work.schema}.shadow_orgs SET created_at = created_at + interval '1 microsecond'")
        found = await asyncio.to_thread(read_back, work, ORGS)
        assert [(each.check, each.table, each.key) for each in found] == [
            ("row", "orgs", (ORG,)),
            ("row", "orgs", (OTHER_ORG,)),
        ]
        with pytest.raises(RebuildRefused, match=r"^PostgreSQL returns other rows than were copied into it: orgs"):
            require_same(found)


async def test_a_rebuild_is_refused_if_a_checkpoint_was_set_back_meanwhile(settings: Settings, pool: Pool) -> None:
    await post(pool, full())
    async with open_whole_rebuild(settings, "audit_log", silent) as rebuilding:
        await rebuilding.compare()
        await pool.execute("UPDATE daybook.checkpoints SET position = 3")
        with pytest.raises(RebuildRefused, match=r"^the checkpoint of partition 0 was set back: run the command again"):
            await rebuilding.apply()


async def test_of_two_rebuilds_the_second_is_refused(settings: Settings, pool: Pool) -> None:
    await post(pool, full())
    async with open_whole_rebuild(settings, "audit_log", silent) as first:
        await first.compare()
        with pytest.raises(RebuildRefused, match=r"^another rebuild is running; nothing was changed$"):
            await compare(settings)
        assert await pool.fetchval(LEFT_OVER) == 1
    assert not await compare(settings)
