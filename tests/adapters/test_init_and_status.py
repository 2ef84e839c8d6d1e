"""`daybook init` and `daybook status` against real servers, as somebody at a shell sees them."""

import json

import pytest
from click.testing import CliRunner, Result

from daybook_infra.cli import main
from daybook_infra.kafka import producer
from daybook_infra.migrations import read_migrations
from daybook_infra.postgres import connect
from daybook_infra.settings import Settings
from support.stack import FreshSettings

ORG = "00000000-0000-4000-8000-00000000000a"
PARTITIONS = 3
CHECKPOINT = """
INSERT INTO daybook.checkpoints (partition, next_offset, position, hash, head_offset) VALUES (1, 2, 1, 'x', 1)
"""
QUARANTINE = "INSERT INTO daybook.quarantine (org_id, partition, position, reason) VALUES ($1, 1, 1, 'version 9 [red]')"


@pytest.fixture
def settings(fresh_settings: FreshSettings) -> Settings:
    return fresh_settings(init=False, partitions=PARTITIONS)


def daybook(settings: Settings, *arguments: str) -> Result:
    named = {
        "DAYBOOK_KAFKA_BOOTSTRAP": settings.kafka_bootstrap,
        "DAYBOOK_DATABASE_URL": settings.database_url.get_secret_value(),
        "DAYBOOK_TOPIC_PREFIX": settings.topic_prefix,
        "DAYBOOK_PARTITIONS": str(settings.partitions),
    }
    return CliRunner().invoke(main, arguments, env=named)


async def _three_entries_of_which_two_are_projected(settings: Settings) -> None:
    writer = producer(settings, "test")
    await writer.start()
    for value in (b"a", b"b", b"c"):
        await writer.send_and_wait(f"{settings.topic_prefix}audit_log", value, partition=1)
    await writer.send_and_wait(f"{settings.topic_prefix}commands", b"d", partition=2)
    await writer.stop()
    async with connect(settings, "test") as connection:
        await connection.execute(CHECKPOINT)
        await connection.execute(QUARANTINE, ORG)
