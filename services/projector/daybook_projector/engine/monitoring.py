"""Polls what no batch reports: lag, quarantined orgs and whether the servers are available."""

import asyncio

from daybook_infra.runtime.errors import DatabaseAway, KafkaAway
from daybook_infra.runtime.postgres.connections import Pool, translated
from daybook_projector.engine.report import ProjectorReport
from daybook_projector.kafka.log_bounds import LogBounds
from daybook_projector.kafka.log_consumer import LogConsumer

POLL_SECONDS = 2.0

IN_QUARANTINE = "SELECT org_id::text FROM daybook.quarantine WHERE released_at IS NULL ORDER BY quarantined_at, org_id"


async def monitor(
    consumer: LogConsumer, bounds: LogBounds, pool: Pool, report: ProjectorReport, stop: asyncio.Event
) -> None:
    """Runs until `stop` is set."""
    while not stop.is_set():
        await _poll_kafka(consumer, bounds, report)
        await _poll_quarantine(pool, report)
        try:
            async with asyncio.timeout(POLL_SECONDS):
                await stop.wait()
        except TimeoutError:
            continue


async def _poll_kafka(consumer: LogConsumer, bounds: LogBounds, report: ProjectorReport) -> None:
    try:
        # An instance without partitions is normal, unless the reason is that the topic is missing.
        if not consumer.partitions:
            await bounds.require_topic()
        ends = await bounds.read_ends(consumer.partitions)
        for partition, projected_to in consumer.projected_to.items():
            if partition in ends:
                report.lag(partition, max(0, ends[partition] - projected_to))
        await bounds.require_other_leaders(ends)
    except KafkaAway as away:
        report.server_away(away)
        return
    report.server_back(KafkaAway)
    await consumer.commit()


async def _poll_quarantine(pool: Pool, report: ProjectorReport) -> None:
    try:
        with translated():
            rows = await pool.fetch(IN_QUARANTINE)
    except DatabaseAway as away:
        report.server_away(away)
        return
    report.server_back(DatabaseAway)
    report.in_quarantine([row[0] for row in rows])
