"""The projector on a real Kafka and PostgreSQL: the tables equal the fold of the log, despite void records, restarts
and rebalances.
"""

import asyncio

import pytest

from daybook_contracts.entries import facts
from daybook_contracts.topics import Topics
from daybook_infra.runtime.kafka.clients import admin
from daybook_infra.runtime.postgres.connections import Pool
from daybook_infra.runtime.settings import Settings
from daybook_projector.kafka.log_bounds import LogBounds
from support.logbook import Logbook, org, project, user
from support.projecting import (
    Projector,
    check_fold,
    checkpoints,
    database,
    projecting,
    publish,
    until,
    until_projected,
    wait_for,
)
from support.stack import FreshSettings

ANN, BOB, CAT = user(1), user(2), user(3)
PARTITIONS = 3
SETTINGS = {"partitions": PARTITIONS}


def some_orgs(log: Logbook, numbers: range) -> None:
    """Adds orgs with members that are added, changed and removed."""
    for number in numbers:
        org_id, site = org(number), project(number)
        log.add(org_id, ANN, facts.OrgCreated(name=f"org {number}"))
        log.add(org_id, ANN, facts.MemberAdded(role="admin", user_id=BOB))
        log.add(org_id, ANN, facts.MemberAdded(role="member", user_id=CAT))
        log.add(org_id, BOB, facts.ProjectCreated(name="site", project_id=site))
        log.add(org_id, BOB, facts.ProjectMemberAdded(project_id=site, role="editor", user_id=CAT))
        log.refuse(org_id, CAT, "RENAME_ORG", org_id, {"name": "mine"})
        log.add(org_id, ANN, facts.MemberUpdated(role="viewer", user_id=CAT, project_ids=(site,)))
        log.add(org_id, ANN, facts.OrgRenamed(name=f"Org {number}"), facts.ProjectRenamed(name="Site", project_id=site))
        if number % 2:
            log.add(org_id, CAT, facts.MemberRemoved(user_id=CAT, project_ids=(site,)))


def three_users(partitions: int = PARTITIONS) -> Logbook:
    log = Logbook(partitions)
    for user_id in (ANN, BOB, CAT):
        log.register(user_id)
    return log


async def test_the_tables_are_the_fold_of_the_log(settings: Settings, pool: Pool) -> None:
    log = three_users()
    some_orgs(log, range(1, 30))
    log.refuse(None, ANN, "RENAME_ORG", org(99), {"org_id": org(99), "name": "x"})
    await publish(settings, log)
    async with projecting(settings) as projector:
        await until_projected(pool, log)
        await check_fold(pool, log)
        assert projector.health.ready
        assert of_all(projector, "daybook_projector_entries_total") == sum(map(len, log.records))


async def test_an_entry_is_visible_after_wait_for(fresh_settings: FreshSettings) -> None:
    settings = fresh_settings(partitions=1)
    log = three_users(partitions=1)
    async with database(settings) as pool, projecting(settings):
        place = log.add(org(1), ANN, facts.OrgCreated(name="Acme"))[0]
        await publish(settings, log)
        await wait_for(pool, place)
        assert await pool.fetchval("SELECT name FROM orgs WHERE id = $1", org(1)) == "Acme"


async def test_void_records_of_every_kind_change_nothing_and_are_counted(fresh_settings: FreshSettings) -> None:
    settings = fresh_settings(partitions=1)
    log = three_users(partitions=1)
    place = log.add(org(1), ANN, facts.OrgCreated(name="Acme"))[0]
    renamed = Logbook(1)
    renamed.heads[0] = log.heads[0]
    renamed.add(org(1), ANN, facts.OrgRenamed(name="void"))
    fork = renamed.records[0][0] or b""
    for value in (b"garbage", None, log.records[0][1], fork.replace(b"RENAME_ORG", b"RENAME_ORX"), fork + b" "):
        log.void(0, value)
    stale = Logbook(1)
    stale.heads[0] = type(log.heads[0])(log.heads[0].position, "e" * 64)
    stale.add(org(1), ANN, facts.OrgRenamed(name="stale"))
    log.void(0, stale.records[0][0])
    log.void(0, (log.records[0][0] or b"").replace(b'"partition":0', b'"partition":7'))
    last = log.add(org(1), ANN, facts.OrgRenamed(name="Ace"))[0]
    await publish(settings, log)
    async with database(settings) as pool, projecting(settings) as projector:
        await wait_for(pool, last)
        assert await checkpoints(pool) == {0: len(log.records[0])}
        assert await pool.fetchval("SELECT name FROM orgs WHERE id = $1", org(1)) == "Ace"
        assert await pool.fetchval("SELECT count(*) FROM audit_log") == place.position + 2
        counted = {
            reason: projector.metric("daybook_projector_voids_total", partition="0", reason=reason)
            for reason in ("not_canonical", "wrong_position", "wrong_prev", "wrong_hash", "wrong_partition")
        }
        assert sum(counted.values()) == 7
        assert all(counted.values())
        assert projector.health.ready


async def test_a_projector_continues_where_the_last_one_ended(settings: Settings, pool: Pool) -> None:
    log = three_users()
    some_orgs(log, range(1, 10))
    for numbers in (range(10, 20), range(20, 30)):
        some_orgs(log, numbers)
        await publish(settings, log)
        async with projecting(settings) as projector:
            await until_projected(pool, log)
            assert projector.health.ready
    await check_fold(pool, log)


async def test_a_projector_cancelled_after_each_checkpoint_skips_and_repeats_nothing(
    settings: Settings, pool: Pool
) -> None:
    log = three_users()
    some_orgs(log, range(1, 400))
    await publish(settings, log)
    ends = {partition: len(values) for partition, values in enumerate(log.records)}
    while await checkpoints(pool) != ends:
        with pytest.raises(Interrupted):
            await project_until_a_checkpoint_moves(settings, pool)
    await check_fold(pool, log)


class Interrupted(Exception):
    pass


async def project_until_a_checkpoint_moves(settings: Settings, pool: Pool) -> None:
    before = await checkpoints(pool)

    async def has_moved() -> bool:
        return await checkpoints(pool) != before

    async with projecting(settings):
        await until(has_moved, "a checkpoint moves")
        raise Interrupted


def of_all(projector: Projector, name: str) -> float:
    """The sum of a metric over all partitions."""
    return sum(projector.metric(name, partition=str(partition)) for partition in range(PARTITIONS))


async def test_two_projectors_share_the_partitions(settings: Settings, pool: Pool) -> None:
    log = three_users()
    some_orgs(log, range(1, 20))
    await publish(settings, log)
    async with projecting(settings):
        await until_projected(pool, log)
        async with projecting(settings) as second:
            some_orgs(log, range(20, 40))
            await until(lambda: of_all(second, "daybook_projector_position") > 0, "the second one has a partition")
            await publish(settings, log)
            await until_projected(pool, log)
            assert of_all(second, "daybook_projector_entries_total") > 0
        some_orgs(log, range(40, 50))
        await publish(settings, log)
        await until_projected(pool, log)
        await check_fold(pool, log)


async def test_a_partition_that_is_being_taken_over_has_no_lag_and_commits_no_offset(
    settings: Settings, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Partition 0 waits for the log's bounds, while the others are projected."""
    log, read_bounds, may_go_on = three_users(), LogBounds.read_bounds, asyncio.Event()

    async def read_bounds_later(self: LogBounds, partition: int) -> tuple[int, int]:
        if partition == 0:
            await may_go_on.wait()
        return await read_bounds(self, partition)

    async def committed() -> set[int]:
        offsets = await client.list_consumer_group_offsets(Topics(settings.topic_prefix).projector_group)
        return {place.partition for place in offsets}

    async def are_committed(*partitions: int) -> bool:
        return await committed() >= {*partitions}

    def has_lag(partition: int) -> bool:
        found = projector.registry.get_sample_value("daybook_projector_lag_records", {"partition": str(partition)})
        return found is not None

    monkeypatch.setattr(LogBounds, "read_bounds", read_bounds_later)
    await publish(settings, log)
    async with admin(settings) as client, projecting(settings) as projector:
        await until(lambda: has_lag(1) and has_lag(2), "the other partitions have a lag")
        await until(lambda: are_committed(1, 2), "their offsets are committed")
        assert not has_lag(0)
        assert await committed() == {1, 2}
        may_go_on.set()
        await until(lambda: are_committed(0, 1, 2), "all offsets are committed")
        assert has_lag(0)
