"""A rebuild while the log goes on: it follows entries, quarantines and heals; a killed one leaves no harm."""

import asyncio
import signal
from itertools import count
from typing import get_args

import pytest

from daybook_contracts.entries import facts
from daybook_infra.runtime.failpoints import Point
from daybook_infra.runtime.postgres.connections import Pool
from daybook_infra.runtime.settings import Settings
from daybook_projector.rebuild import sessions
from daybook_projector.rebuild.differences import Difference
from daybook_projector.rebuild.jobs import read_back
from daybook_projector.rebuild.refusal import RebuildRefused
from daybook_projector.rebuild.shadow_fold import require_same
from daybook_projector.rebuild.whole_rebuild import open_whole_rebuild
from support.healing import LOCK_MEMBER, heal, locked, older_than, post_rest, unseen, wait_until_blocked
from support.logbook import Logbook, log_with, org_in, project, thing, user_in
from support.poison import ANN, BOB, SICK, WELL
from support.projecting import check_fold, database, post, projected, projecting, publish, quarantine, tables
from support.rebuilding import DAMAGES, EMPTIED, LEFT_OVER, compare, full, hurt, rebuild, run_rebuild, start_rebuild
from support.stack import FreshSettings

POINTS = [point for point in get_args(Point) if point.startswith("rebuild-")]
BY_NAME = {damage.name: damage for damage in DAMAGES}
COLUMN = BY_NAME["a column of public.org_members"]


async def test_entries_after_the_comparison_are_included(settings: Settings, pool: Pool) -> None:
    log = full()
    await post(pool, log)
    await hurt(pool, BY_NAME["a missing row of public.secret_refs"], COLUMN)
    async with open_whole_rebuild(settings, "audit_log", unseen) as rebuilding:
        assert len((await rebuilding.compare()).differences) == 2
        log.add(SICK, ANN, facts.SecretRefCreated(secret_ref_id=thing(30), key_name="later", secret_id_ref="env:L"))
        log.add(SICK, ANN, facts.SecretRefDeleted(secret_ref_id=thing(22)))
        log.add(SICK, ANN, facts.SecretRefCreated(secret_ref_id=thing(31), key_name="b", secret_id_ref="env:M"))
        log.add(SICK, ANN, facts.ConnectionDeleted(connection_id=thing(1)))
        log.add(SICK, ANN, facts.ProjectRenamed(name="later", project_id=project(3)))
        # This row was damaged; now it has another value than the one that was compared.
        log.add(SICK, ANN, facts.MemberUpdated(role="admin", user_id=BOB))
        await post_rest(pool, log)
        assert [each for each in await rebuilding.apply() if each] == [Difference("public.secret_refs", missing=1)]
    await check_fold(pool, log)
    assert not await compare(settings)


async def test_an_org_that_goes_into_quarantine_meanwhile_stays_in_it(settings: Settings, pool: Pool) -> None:
    log = full()
    await post(pool, log)
    await hurt(pool, COLUMN)
    async with open_whole_rebuild(settings, "audit_log", unseen) as rebuilding:
        await rebuilding.compare()
        poison = log.add(SICK, ANN, facts.OrgRenamed(name="poison"), action="DANCE")[0]
        log.add(SICK, ANN, facts.OrgRenamed(name="later"))
        log.add(SICK, ANN, facts.ProjectCreated(name="kept", project_id=project(30)))
        log.add(WELL, ANN, facts.OrgRenamed(name="later"))
        await post_rest(pool, log)
        await rebuilding.apply()
    assert await quarantine(pool) == [(SICK, poison.position, 1)]
    found = await tables(pool)
    assert (found["orgs"][SICK,][0], found["orgs"][WELL,][0]) == ("unknown", "later")
    assert found["org_members"][SICK, BOB][0] == "member"
    assert (project(30),) in found["projects"]
    assert not await compare(settings)


async def test_an_org_that_is_healed_meanwhile_refuses_the_rebuild(settings: Settings, pool: Pool) -> None:
    log = full()
    assert len(await post(pool, log, kind=older_than(facts.OrgRenamed))) == 1
    await hurt(pool, BY_NAME["a column of public.orgs"])
    async with open_whole_rebuild(settings, "audit_log", unseen) as rebuilding:
        assert [each.table for each in (await rebuilding.compare()).differences] == ["public.orgs"]
        assert (await heal(settings, SICK)).released
        with pytest.raises(RebuildRefused, match=rf"^org {SICK} was healed meanwhile: run the command again; nothing"):
            await rebuilding.apply()
    await rebuild(settings)
    await check_fold(pool, log)


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


async def test_all_partitions_wait_for_the_correction_and_no_longer(settings: Settings, pool: Pool) -> None:
    log = full()
    await post(pool, log)
    await hurt(pool, COLUMN)
    async with open_whole_rebuild(settings, "audit_log", unseen) as rebuilding:
        await rebuilding.compare()
        async with locked(pool, LOCK_MEMBER):
            applying = asyncio.create_task(rebuilding.apply())
            await wait_until_blocked(pool, "daybook-rebuild")
            # Its rows are locked by nobody.
            log.add(WELL, ANN, facts.OrgRenamed(name="after"))
            waiting = asyncio.create_task(post_rest(pool, log))
            await wait_until_blocked(pool, "test")
            assert (await tables(pool))["orgs"][WELL,][0] != "after"
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
        with pytest.raises(RebuildRefused, match=r"^another transaction .*: repeat it; nothing was changed$"):
            await rebuild(settings)
    assert await tables(pool) == before


async def test_an_interrupted_rebuild_says_so_and_cleans_up(settings: Settings, pool: Pool) -> None:
    await post(pool, full())
    await hurt(pool, COLUMN)
    before = await tables(pool)
    async with locked(pool, LOCK_MEMBER):
        process = await start_rebuild(settings, "--yes", "--from", "audit_log")
        await wait_until_blocked(pool, "daybook-rebuild")
        process.send_signal(signal.SIGINT)
        _, errors = await asyncio.wait_for(process.communicate(), 20)
    assert (process.returncode, errors) == (130, b"interrupted: run it again to start over\n")
    assert await tables(pool) == before
    assert await pool.fetchval(LEFT_OVER) == 0


async def test_a_row_that_postgresql_does_not_give_back_as_it_was_copied_is_noticed(
    settings: Settings, pool: Pool
) -> None:
    await post(pool, full())
    async with open_whole_rebuild(settings, "audit_log", unseen) as rebuilding:
        await rebuilding.compare()
        work = rebuilding.work
        assert await asyncio.to_thread(read_back, work, "public.orgs") == []
        await pool.execute(f"UPDATE {work.schema}.shadow_orgs SET created_at = created_at + interval '1 microsecond'")
        found = await asyncio.to_thread(read_back, work, "public.orgs")
        assert [(each.check, each.table, each.key) for each in found] == [
            ("row", "orgs", (SICK,)),
            ("row", "orgs", (WELL,)),
        ]
        with pytest.raises(RebuildRefused, match=r"^PostgreSQL does not hold what was copied into it: orgs"):
            require_same(found)


async def test_a_checkpoint_that_was_set_back_meanwhile_refuses_the_rebuild(settings: Settings, pool: Pool) -> None:
    await post(pool, full())
    async with open_whole_rebuild(settings, "audit_log", unseen) as rebuilding:
        await rebuilding.compare()
        await pool.execute("UPDATE daybook.checkpoints SET position = 3")
        with pytest.raises(RebuildRefused, match=r"^the checkpoint of partition 0 was set back: run the command again"):
            await rebuilding.apply()


async def test_of_two_rebuilds_the_second_is_refused(settings: Settings, pool: Pool) -> None:
    await post(pool, full())
    async with open_whole_rebuild(settings, "audit_log", unseen) as first:
        await first.compare()
        with pytest.raises(RebuildRefused, match=r"^another rebuild is running; nothing was changed$"):
            await compare(settings)
        assert await pool.fetchval(LEFT_OVER) == 1
    assert not await compare(settings)


SEEN = """
SELECT (SELECT count(*) FROM orgs WHERE id = ANY ($1::uuid[])), (SELECT count(*) FROM org_members WHERE role = 'owner'),
       (SELECT count(*) FROM secret_refs WHERE secret_id_ref = 'env:THROUGHOUT')
"""


class Traffic:
    """Commands' entries in both partitions, until it is stopped. Their rows are others than those that are damaged."""

    def __init__(self, settings: Settings, log: Logbook, actor: str, org_ids: list[str]) -> None:
        self._settings = settings
        self._log = log
        self._actor = actor
        self._org_ids = org_ids
        self.stopped = asyncio.Event()

    async def run(self) -> None:
        for number in count(1000):
            for at, org_id in enumerate(self._org_ids):
                self._log.add(org_id, self._actor, facts.OrgRenamed(name=f"name {number}"))
                created = facts.ProjectCreated(name="a", project_id=project(10 * number + at))
                self._log.add(org_id, self._actor, created)
                self._log.add(org_id, self._actor, facts.ProjectRenamed(name="b", project_id=created.project_id))
            await publish(self._settings, self._log)
            if self.stopped.is_set():
                return


async def watch(pool: Pool, org_ids: list[str], stopped: asyncio.Event) -> int:
    """Reads again and again what is there throughout; returns how often."""
    for polls in count(1):
        assert tuple(await pool.fetchrow(SEEN, org_ids) or ()) == (4, 4, 2)
        if stopped.is_set():
            return polls
    raise AssertionError


async def test_readers_and_the_projector_go_on_during_a_rebuild(fresh_settings: FreshSettings) -> None:
    settings = fresh_settings(partitions=2)
    ann, bob = user_in(0, 2), user_in(1, 2)
    calm, busy = ([org_in(partition, 2, number) for partition in (0, 1)] for number in (0, 1))
    log = log_with(*calm, *busy, users=[ann, bob], partitions=2)
    for number, org_id in enumerate(calm):
        log.add(org_id, ann, facts.MemberAdded(role="admin", user_id=bob))
        kept = facts.SecretRefCreated(secret_ref_id=thing(number), key_name="a", secret_id_ref="env:THROUGHOUT")
        log.add(org_id, ann, kept, facts.ProjectCreated(name="a", project_id=project(number)))
    async with database(settings) as pool, projecting(settings):
        await publish(settings, log)
        await projected(pool, log)
        for statement in (
            "UPDATE org_members SET role = 'viewer' WHERE user_id = $1",
            "DELETE FROM org_members WHERE user_id = $1 AND org_id = (SELECT min(org_id::text)::uuid FROM org_members)",
        ):
            await pool.execute(statement, bob)
        await pool.execute("UPDATE secret_refs SET key_name = 'x' WHERE id = $1", thing(1))
        await pool.execute("UPDATE orgs SET name = 'x' WHERE id = $1", calm[1])
        await pool.execute("UPDATE projects SET name = 'x' WHERE id = $1", project(0))
        traffic = Traffic(settings, log, ann, busy)
        async with asyncio.TaskGroup() as group:
            group.create_task(traffic.run())
            watching = group.create_task(watch(pool, [*calm, *busy], traffic.stopped))
            done = await run_rebuild(settings, "--yes")
            traffic.stopped.set()
        assert (done.code, done.stderr) == (0, ""), done
        assert done.stdout.splitlines()[-1] == "5 rows corrected"
        assert watching.result() > 10
        await projected(pool, log)
        await check_fold(pool, log)
        assert not await compare(settings, "topic")
