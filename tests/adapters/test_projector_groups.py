"""Batches of several partitions in one transaction, on a real PostgreSQL: a fault of one partition affects no other.
Over 250 lines, because each kind of fault needs a group in which it occurs.
"""

import asyncio
from collections.abc import Sequence

import pytest

from daybook_contracts.entries import facts
from daybook_infra.runtime.errors import DatabaseAway
from daybook_infra.runtime.postgres.checkpoints import load_checkpoint
from daybook_infra.runtime.postgres.connections import Pool
from daybook_infra.runtime.settings import Settings
from daybook_projector.engine.group_commit import GroupCommit, open_group_commit
from daybook_projector.partition.machine import Batch, PartitionLog
from daybook_projector.postgres.checkpoints import CheckpointLost
from daybook_projector.postgres.writer import Writer
from daybook_projector.projections.fold import folds
from support.healing import locked
from support.logbook import Logbook, Place, log_with, org_in, records, user_in
from support.projecting import (
    check_fold,
    checkpoints,
    post,
    projecting,
    publish,
    quarantine,
    tables,
    until,
    until_projected,
    wait_for,
)

PARTITIONS = 3
SETTINGS = {"partitions": PARTITIONS}
ORGS = [org_in(partition, PARTITIONS) for partition in range(PARTITIONS)]
ANN = user_in(0, PARTITIONS)
LOCK_ORG = "SELECT FROM orgs WHERE id = $1 FOR UPDATE"
NO_ROOM_FOR_AN_ORG = """
CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'no room' USING ERRCODE = 'disk_full'; END $$;
CREATE TRIGGER no_room BEFORE INSERT ON public.audit_log FOR EACH ROW
  WHEN (NEW.org_id = '{}') EXECUTE FUNCTION no_room();
"""
TRANSACTIONS = "SELECT count(DISTINCT xmin::text) FROM daybook.checkpoints"


async def founded(pool: Pool) -> Logbook:
    """A log with an org in each partition, projected."""
    log = log_with(*ORGS, users=[ANN], partitions=PARTITIONS)
    assert await post(pool, log) == []
    return log


def rename_all(log: Logbook, name: str) -> list[Place]:
    return [log.add(org_id, ANN, facts.OrgRenamed(name=name))[0] for org_id in ORGS]


def writer_on(pool: Pool) -> Writer:
    return Writer(pool, folds(managed_users=True))


async def next_batch(pool: Pool, log: Logbook, partition: int) -> Batch:
    """All entries of the partition that are not projected yet."""
    reader = PartitionLog(partition, await load_checkpoint(pool, partition), partitions=PARTITIONS)
    first = reader.checkpoint.first_to_read
    reader.take(records(log.records[partition][first:], start=first))
    batch = reader.next_batch(5000)
    assert batch is not None
    return batch


async def next_batches(pool: Pool, log: Logbook) -> list[Batch]:
    return [await next_batch(pool, log, partition) for partition in range(PARTITIONS)]


async def test_batches_of_several_partitions_share_a_transaction(pool: Pool) -> None:
    log = await founded(pool)
    rename_all(log, "b")
    assert await writer_on(pool).write_together(await next_batches(pool, log)) == {0, 1, 2}
    assert await pool.fetchval(TRANSACTIONS) == 1
    await check_fold(pool, log)


async def test_a_partition_whose_checkpoint_is_lost_is_left_out(pool: Pool) -> None:
    log, writer = await founded(pool), writer_on(pool)
    rename_all(log, "b")
    batches = await next_batches(pool, log)
    await writer.write(batches[1])
    assert await writer.write_together(batches) == {0, 2}
    await check_fold(pool, log)
    with pytest.raises(CheckpointLost):
        await writer.write(batches[1])
    assert await writer.write_together(batches) == set()
    await check_fold(pool, log)


async def test_a_partition_whose_checkpoint_is_locked_is_left_out_and_not_waited_for(pool: Pool) -> None:
    log, writer = await founded(pool), writer_on(pool)
    rename_all(log, "b")
    batches = await next_batches(pool, log)
    async with pool.acquire() as other, other.transaction():
        await other.execute("SELECT FROM daybook.checkpoints WHERE partition = 1 FOR UPDATE")
        assert await writer.write_together(batches) == {0, 2}
    assert await writer.write_together(batches[1:2]) == {1}
    await check_fold(pool, log)


async def test_a_group_with_a_poison_entry_writes_nothing(pool: Pool) -> None:
    log = await founded(pool)
    before = await checkpoints(pool)
    rename_all(log, "b")
    log.add(ORGS[1], ANN, facts.MemberUpdated(role="admin", user_id=user_in(1, PARTITIONS)))
    assert await writer_on(pool).write_together(await next_batches(pool, log)) == set()
    assert await checkpoints(pool) == before
    assert len((await tables(pool))["audit_log"]) == sum(before.values())


async def test_an_org_in_quarantine_stays_frozen_in_a_group(pool: Pool) -> None:
    log, writer = await founded(pool), writer_on(pool)
    place = log.add(ORGS[1], ANN, facts.MemberUpdated(role="admin", user_id=user_in(1, PARTITIONS)))[0]
    assert len(await writer.write(await next_batch(pool, log, 1))) == 1
    rename_all(log, "b")
    assert await writer.write_together(await next_batches(pool, log)) == {0, 1, 2}
    assert [(await tables(pool))["orgs"][org_id,][0] for org_id in ORGS] == ["b", "a", "b"]
    assert await quarantine(pool) == [(ORGS[1], place.position, 1)]


async def test_a_poison_entry_quarantines_its_org_only(settings: Settings, pool: Pool) -> None:
    log = log_with(*ORGS, users=[ANN], partitions=PARTITIONS)
    async with projecting(settings):
        await publish(settings, log)
        await until_projected(pool, log)
        for number in range(50):
            rename_all(log, f"{number}")
            if number == 20:
                poison = log.add(ORGS[1], ANN, facts.MemberUpdated(role="admin", user_id=user_in(1, PARTITIONS)))[0]
        await publish(settings, log)
        await until_projected(pool, log)
        assert await quarantine(pool) == [(ORGS[1], poison.position, 1)]
        found = await tables(pool)
        assert [found["orgs"][org_id,][0] for org_id in ORGS] == ["49", "20", "49"]
        assert len(found["audit_log"]) == sum(map(len, log.records))


async def test_a_partition_that_waits_for_a_row_does_not_hold_up_the_others(settings: Settings, pool: Pool) -> None:
    log = log_with(*ORGS, users=[ANN], partitions=PARTITIONS)
    async with projecting(settings):
        await publish(settings, log)
        await until_projected(pool, log)
        async with locked(pool, LOCK_ORG, ORGS[1]):
            for name in ("b", "c"):
                places = rename_all(log, name)
                await publish(settings, log)
                for place in (places[0], places[2]):
                    await wait_for(pool, place)
            assert [(await tables(pool))["orgs"][org_id,][0] for org_id in ORGS] == ["c", "a", "c"]
        await until_projected(pool, log)
        await check_fold(pool, log)


async def test_a_partition_whose_batch_is_retried_does_not_hold_up_another_that_must_write_alone(
    settings: Settings, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daybook_projector.main.WRITE_SLOTS", 1)
    log = log_with(*ORGS, users=[ANN], partitions=PARTITIONS)
    async with projecting(settings) as projector:
        await publish(settings, log)
        await until_projected(pool, log)
        await pool.execute(NO_ROOM_FOR_AN_ORG.format(ORGS[1]))
        log.add(ORGS[1], ANN, facts.OrgRenamed(name="b"))
        await publish(settings, log)
        await until(lambda: "postgres" in projector.health.reasons, "the batch of partition 1 is retried")
        poison = log.add(ORGS[2], ANN, facts.MemberUpdated(role="admin", user_id=user_in(1, PARTITIONS)))[0]
        await publish(settings, log)
        await wait_for(pool, poison)
        assert await quarantine(pool) == [(ORGS[2], poison.position, 1)]
        assert "postgres" in projector.health.reasons
        await pool.execute("DROP FUNCTION no_room CASCADE")
        await until_projected(pool, log)


class Gated(Writer):
    """Writes a group only when the gate is open. `groups`: the partitions of each group."""

    def __init__(self, pool: Pool) -> None:
        super().__init__(pool, folds(managed_users=True))
        self.gate, self.groups = asyncio.Event(), list[list[int]]()

    async def write_together(self, batches: Sequence[Batch]) -> frozenset[int]:
        self.groups.append([batch.partition for batch in batches])
        await self.gate.wait()
        return await super().write_together(batches)


async def begin(groups: GroupCommit, writer: Gated, *batches: Batch) -> list[asyncio.Task[bool]]:
    """Starts to write a group of these batches, which then waits at the gate."""
    tasks = [asyncio.create_task(groups.write(batch)) for batch in batches]
    await until(lambda: len(writer.groups) == 1, "the group waits at the gate")
    return tasks


async def enqueue(groups: GroupCommit, *batches: Batch) -> list[asyncio.Task[bool]]:
    tasks = [asyncio.create_task(groups.write(batch)) for batch in batches]
    await until(lambda: len(groups._waiting) == len(tasks), "the batches are in the queue")
    return tasks


async def test_batches_that_come_while_a_group_is_written_form_the_next_group(pool: Pool) -> None:
    log, writer = await founded(pool), Gated(pool)
    rename_all(log, "b")
    batches = await next_batches(pool, log)
    async with open_group_commit(writer) as groups:
        first = await begin(groups, writer, batches[0])
        others = await enqueue(groups, *batches[1:])
        writer.gate.set()
        assert await asyncio.gather(*first, *others) == [True] * 3
    assert writer.groups == [[0], [1, 2]]
    await check_fold(pool, log)


async def test_a_batch_whose_worker_is_cancelled_in_the_queue_is_left_out(pool: Pool) -> None:
    log, writer = await founded(pool), Gated(pool)
    rename_all(log, "b")
    batches = await next_batches(pool, log)
    async with open_group_commit(writer) as groups:
        first = await begin(groups, writer, batches[0])
        cancelled, last = await enqueue(groups, *batches[1:])
        cancelled.cancel()
        writer.gate.set()
        assert await asyncio.gather(*first, last) == [True] * 2
    assert cancelled.cancelled()
    assert writer.groups == [[0], [2]]
    assert [(await tables(pool))["orgs"][org_id,][0] for org_id in ORGS] == ["b", "a", "b"]
    assert await writer.write(batches[1]) == []
    await check_fold(pool, log)


async def test_a_worker_that_is_cancelled_during_its_transaction_does_not_cancel_the_others(pool: Pool) -> None:
    log, writer = await founded(pool), Gated(pool)
    rename_all(log, "b")
    async with open_group_commit(writer) as groups:
        workers = await begin(groups, writer, *await next_batches(pool, log))
        workers.pop(1).cancel()
        writer.gate.set()
        assert await asyncio.gather(*workers) == [True] * 2
    assert writer.groups == [[0, 1, 2]]
    await check_fold(pool, log)


async def test_a_partition_that_came_back_never_has_two_batches_in_a_group(pool: Pool) -> None:
    log, writer = await founded(pool), Gated(pool)
    rename_all(log, "b")
    batches = await next_batches(pool, log)
    async with open_group_commit(writer) as groups:
        first = await begin(groups, writer, batches[0])
        others = await enqueue(groups, batches[1], batches[1], batches[2])
        writer.gate.set()
        assert await asyncio.gather(*first, *others) == [True, True, False, True]
    assert writer.groups == [[0], [1, 2], [1]]
    await check_fold(pool, log)


class Away(Writer):
    async def write_together(self, batches: Sequence[Batch]) -> frozenset[int]:
        await super().write_together(batches)
        raise DatabaseAway("the answer to the commit is lost")


async def test_after_a_lost_answer_the_checkpoints_show_what_was_written(pool: Pool) -> None:
    log, writer = await founded(pool), Away(pool, folds(managed_users=True))
    rename_all(log, "b")
    batches = await next_batches(pool, log)
    async with open_group_commit(writer) as groups:
        assert await asyncio.gather(*map(groups.write, batches)) == [False] * 3
    for batch in batches:
        with pytest.raises(CheckpointLost):
            await writer.write(batch)
    await check_fold(pool, log)
