"""Changes to a log that stop its partition. The projector is then unready, and other partitions continue."""

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import RecordsToDelete

from daybook_contracts.entries import facts
from daybook_contracts.log.continuity import MAX_VOIDS_IN_A_ROW
from daybook_contracts.topics import Topics
from daybook_infra.runtime.kafka.clients import admin
from daybook_infra.runtime.postgres.connections import Pool
from daybook_infra.runtime.settings import Settings
from support.logbook import Logbook, log_with, org_in, user_in
from support.projecting import Projector, projecting, publish, tables, until_projected, wait_for

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
    async with admin(settings) as client:
        topic = Topics(settings.topic_prefix).audit_log
        await client.delete_records({TopicPartition(topic, HERE): RecordsToDelete(before_offset=1)})
    async with projecting(settings) as projector:
        assert "the log starts at offset 1" in await stop_reason(projector)


async def test_too_many_void_records_in_a_row_stop_the_partition(settings: Settings, pool: Pool) -> None:
    log = await project_once(settings, pool)
    for _ in range(MAX_VOIDS_IN_A_ROW):
        log.void(HERE, b"x")
    async with projecting(settings) as projector:
        await publish(settings, log)
        assert f"{MAX_VOIDS_IN_A_ROW} records in a row" in await stop_reason(projector)
