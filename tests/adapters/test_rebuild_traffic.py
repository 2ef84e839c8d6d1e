"""A rebuild under traffic: readers never miss a row, and the tables equal the fold of the log."""

import asyncio
from itertools import count

from daybook_contracts.entries import facts
from daybook_infra.runtime.postgres.connections import Pool
from daybook_infra.runtime.settings import Settings
from support.logbook import Logbook, log_with, org_in, project, thing, user_in
from support.projecting import check_fold, database, projecting, publish, until_projected
from support.rebuilding import compare, run_rebuild
from support.stack import FreshSettings

SEEN = """
SELECT (SELECT count(*) FROM orgs WHERE id = ANY ($1::uuid[])), (SELECT count(*) FROM org_members WHERE role = 'owner'),
       (SELECT count(*) FROM secret_refs WHERE secret_id_ref = 'env:THROUGHOUT')
"""


class Traffic:
    """Appends entries to both partitions until it is stopped. The entries change none of the damaged rows."""

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
    """Reads the rows that exist throughout, again and again until `stopped`; returns the number of reads."""
    for polls in count(1):
        assert tuple(await pool.fetchrow(SEEN, org_ids) or ()) == (4, 4, 2)
        if stopped.is_set():
            return polls
    raise AssertionError


async def test_readers_and_the_projector_continue_during_a_rebuild(fresh_settings: FreshSettings) -> None:
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
        await until_projected(pool, log)
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
        await until_projected(pool, log)
        await check_fold(pool, log)
        assert not await compare(settings, "topic")
