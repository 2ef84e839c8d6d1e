"""A topic is restored while others write to the topic or the checkpoints, or restore the same topic. The command then
fails, and the checkpoints are not set.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import RecordsToDelete

from daybook_contracts.entries import facts
from daybook_contracts.log.head import Checkpoint
from daybook_contracts.topics import Topics
from daybook_infra.runtime.errors import DaybookError
from daybook_infra.runtime.kafka.clients import admin
from daybook_infra.runtime.postgres.checkpoints import load_checkpoints
from daybook_infra.runtime.postgres.connections import Pool
from daybook_infra.runtime.settings import Settings
from daybook_projector.audit.restoring.refused import Refused
from daybook_projector.audit.restoring.run import Plan, Restoration, open_restoration
from support.auditing import silent
from support.forging import append
from support.logbook import Logbook, log_with, org, user
from support.projecting import post, projecting, until

ORG, ANN = org(1), user(1)


@pytest.fixture
async def log(settings: Settings, pool: Pool) -> Logbook:
    """A projected log with a void record. A restored topic lacks the void, so its offsets differ, and the checkpoint
    has to be set. The topic is still empty.
    """
    log = log_with(ORG)
    log.void(0)
    for name in "abc":
        log.add(ORG, ANN, facts.OrgRenamed(name=name))
    await post(pool, log)
    return log


@asynccontextmanager
async def checked(settings: Settings) -> AsyncIterator[tuple[Restoration, Plan]]:
    async with open_restoration(settings) as restoration:
        yield restoration, await restoration.check(silent, lose_unprojected=True)


def entries(log: Logbook) -> list[bytes | None]:
    return [value for value in log.records[0] if value != b"garbage"]


async def check_unset(pool: Pool, log: Logbook) -> None:
    """Asserts that the checkpoint still has the offsets of the lost topic."""
    head, end = log.heads[0], len(log.records[0])
    assert await load_checkpoints(pool) == {0: Checkpoint(end, head, end - 1)}


async def test_a_foreign_record_before_the_entries_is_an_error(settings: Settings, pool: Pool, log: Logbook) -> None:
    async with checked(settings) as (restoration, plan):
        await append(settings, 0, [b"another"])
        with pytest.raises(DaybookError, match="at offset 1 instead of 0, so somebody else writes there"):
            await restoration.write(plan, silent)
    await check_unset(pool, log)


async def test_a_foreign_record_after_the_entries_is_an_error(settings: Settings, pool: Pool, log: Logbook) -> None:
    await append(settings, 0, entries(log))
    async with checked(settings) as (restoration, plan):
        assert (plan.to_write, plan.unset, plan.is_done) == (0, 1, False)
        await append(settings, 0, [b"another"])
        with pytest.raises(DaybookError, match=r"somebody else writes to the topic: .* has 6 records"):
            await restoration.write(plan, silent)
    await check_unset(pool, log)


async def test_records_that_differ_when_read_back_are_an_error(settings: Settings, pool: Pool, log: Logbook) -> None:
    async with checked(settings) as (restoration, plan):
        other = replace(plan, parts=(replace(plan.parts[0], sum=b"another"),))
        with pytest.raises(DaybookError, match="has other records than were written"):
            await restoration.write(other, silent)
    await check_unset(pool, log)


async def test_checkpoints_that_have_moved_are_not_changed(settings: Settings, pool: Pool, log: Logbook) -> None:
    async with checked(settings) as (restoration, plan):
        await pool.execute("UPDATE daybook.checkpoints SET next_offset = 99")
        with pytest.raises(DaybookError, match="the checkpoints have changed meanwhile"):
            await restoration.write(plan, silent)
    assert await pool.fetchval("SELECT next_offset FROM daybook.checkpoints") == 99


async def test_a_service_that_starts_after_the_check_is_refused(settings: Settings, pool: Pool, log: Logbook) -> None:
    async with checked(settings) as (restoration, plan), projecting(settings) as projector:
        await until(
            lambda: bool(projector.health.reasons.get("partition 0", "").startswith("stopped")), "partition 0 stops"
        )
        with pytest.raises(Refused, match="services are running"):
            await restoration.write(plan, silent)
    await check_unset(pool, log)


async def test_a_second_restoration_of_the_same_topic_is_refused(settings: Settings, log: Logbook) -> None:
    async with checked(settings):
        with pytest.raises(Refused, match="another `daybook audit restore-topic` is running"):
            async with checked(settings):
                pass
    async with checked(settings) as (restoration, plan):
        assert (await restoration.write(plan, silent)).written == len(entries(log))


async def test_a_topic_that_lost_its_beginning_is_refused(settings: Settings, log: Logbook) -> None:
    await append(settings, 0, entries(log)[:2])
    async with admin(settings) as client:
        place = TopicPartition(Topics(settings.topic_prefix).audit_log, 0)
        await client.delete_records({place: RecordsToDelete(before_offset=1)})
    with pytest.raises(Refused, match="starts at offset 1, not at 0"):
        async with checked(settings):
            pass


async def test_a_topic_with_offsets_that_have_no_record_is_refused(settings: Settings, log: Logbook) -> None:
    """The commit marker of each transaction takes such an offset."""
    topic = Topics(settings.topic_prefix).audit_log
    async with AIOKafkaProducer(bootstrap_servers=settings.kafka_bootstrap, transactional_id=topic) as producer:
        for value in entries(log)[:2]:
            async with producer.transaction():
                await producer.send_and_wait(topic, value, partition=0)
    with pytest.raises(Refused, match="has no record at offset 1"):
        async with checked(settings):
            pass
