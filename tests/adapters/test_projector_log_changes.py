"""Changes to a log that stop its partition. The projector is then unready, and other partitions continue."""

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import RecordsToDelete

from daybook_contracts.entries import facts
from daybook_contracts.log.continuity import MAX_VOIDS_IN_A_ROW
from daybook_contracts.topics import Topics
from daybook_infra.runtime.kafka import clients
from daybook_infra.runtime.kafka.clients import admin
from daybook_infra.runtime.kafka.options import connection_options
from daybook_infra.runtime.postgres.connections import Pool
from daybook_infra.runtime.settings import Settings
from daybook_projector.kafka.log_bounds import LogBounds
from support.logbook import Logbook, log_with, org_in, user_in
from support.projecting import (
    Projector,
    check_fold,
    checkpoints,
    projecting,
    publish,
    tables,
    until,
    until_projected,
    wait_for,
)

PARTITIONS = 2
SETTINGS = {"partitions": PARTITIONS}
HERE, THERE = 0, 1
ANN = user_in(THERE, PARTITIONS)
ORG, OTHER = org_in(HERE, PARTITIONS), org_in(THERE, PARTITIONS)


async def project_once(settings: Settings, pool: Pool) -> Logbook:
    log = log_with(ORG, OTHER, users=[ANN], partitions=PARTITIONS)
    for org_id in (ORG, OTHER):
        log.add(org_id, ANN, facts.OrgRenamed(name="b"))
    await publish(settings, log)
    async with projecting(settings):
        await until_projected(pool, log)
    return log


async def stop_reason(projector: Projector) -> str:
    reason = await projector.stop_reason(HERE)
    assert not projector.health.ready
    return reason


CHECKPOINT_CHANGES = {
    "another entry at the head": ("hash = repeat('f', 64)", "not entry 0.1, which was there"),
    "a log that ends before the checkpoint": ("next_offset = 9, head_offset = 8", "the log ends at offset 2"),
    "the head at another offset": ("head_offset = 0", "the record at offset 0 is not entry 0.1"),
}


@pytest.mark.parametrize(("change", "reason"), CHECKPOINT_CHANGES.values(), ids=CHECKPOINT_CHANGES)
async def test_a_changed_log_stops_its_partition_only(settings: Settings, pool: Pool, change: str, reason: str) -> None:
    log = await project_once(settings, pool)
    await pool.execute(f"UPDATE daybook.checkpoints SET {change} WHERE partition = {HERE}")
    log.add(ORG, ANN, facts.OrgRenamed(name="c"))
    last = log.add(OTHER, ANN, facts.OrgRenamed(name="c"))[0]
    async with projecting(settings) as projector:
        assert reason in await stop_reason(projector)
        await publish(settings, log)
        await wait_for(pool, last)
        found = await tables(pool)
        assert (found["orgs"][ORG,][0], found["orgs"][OTHER,][0]) == ("b", "c")


async def test_a_truncated_log_stops_its_partition(settings: Settings, pool: Pool) -> None:
    await project_once(settings, pool)
    await delete_records(settings, before_offset=1)
    async with projecting(settings) as projector:
        assert "the log starts at offset 1" in await stop_reason(projector)


async def delete_records(settings: Settings, before_offset: int) -> None:
    async with admin(settings) as client:
        topic = Topics(settings.topic_prefix).audit_log
        await client.delete_records({TopicPartition(topic, HERE): RecordsToDelete(before_offset=before_offset)})


async def test_a_log_that_loses_its_beginning_while_it_is_read_stops_its_partition(
    settings: Settings, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The records are deleted after the projector has asked for the log's bounds, and before it reads them."""
    log = log_with(ORG, OTHER, users=[ANN], partitions=PARTITIONS)
    for name in ("b", "c", "d"):
        log.add(ORG, ANN, facts.OrgRenamed(name=name))
    await publish(settings, log)
    read_bounds, waiting = LogBounds.read_bounds, {HERE}

    async def read_bounds_before_the_loss(self: LogBounds, partition: int) -> tuple[int, int]:
        found = await read_bounds(self, partition)
        if partition in waiting:
            waiting.remove(partition)
            await delete_records(settings, before_offset=2)
        return found

    monkeypatch.setattr(LogBounds, "read_bounds", read_bounds_before_the_loss)
    async with projecting(settings) as projector:
        assert "the log starts at offset 2" in await stop_reason(projector)
        assert HERE not in await checkpoints(pool)


async def test_offsets_of_transaction_markers_do_not_stop_a_partition(settings: Settings, pool: Pool) -> None:
    """A consumer never sees these records. A foreign program that writes in transactions leaves them in the log."""
    log = log_with(ORG, OTHER, users=[ANN], partitions=PARTITIONS)
    async with projecting(settings) as projector:
        await publish(settings, log)
        await until_projected(pool, log)
        await write_in_transaction(settings, b"x")
        await until_log_ends_at(settings, len(log.records[HERE]) + 2)
        last = log.add(ORG, ANN, facts.OrgRenamed(name="b"))[0]
        await publish(settings, log)
        await wait_for(pool, last)
        assert (await checkpoints(pool))[HERE] == len(log.records[HERE]) + 2
        assert projector.health.ready
    await check_fold(pool, log)


async def write_in_transaction(settings: Settings, value: bytes) -> None:
    options = connection_options(settings, "test")
    producer = AIOKafkaProducer(**options, transactional_id=f"{settings.topic_prefix}-test")
    await producer.start()
    try:
        async with producer.transaction():
            await producer.send_and_wait(Topics(settings.topic_prefix).audit_log, value, partition=HERE)
    finally:
        await producer.stop()


async def until_log_ends_at(settings: Settings, end: int) -> None:
    """Kafka writes the marker of a transaction some time after the producer's commit."""
    consumer = await clients.start(clients.consumer(settings, "test"))
    try:
        bounds = LogBounds(settings, consumer)

        async def is_there() -> bool:
            return await bounds.read_end(HERE) == end

        await until(is_there, f"the log ends at {end}")
    finally:
        await clients.close_quietly(consumer)


async def test_too_many_void_records_in_a_row_stop_the_partition(settings: Settings, pool: Pool) -> None:
    log = await project_once(settings, pool)
    for _ in range(MAX_VOIDS_IN_A_ROW):
        log.void(HERE, b"x")
    async with projecting(settings) as projector:
        await publish(settings, log)
        assert f"{MAX_VOIDS_IN_A_ROW} records in a row" in await stop_reason(projector)
