"""Clients of a real Kafka that are closed while they are in use leave no connection behind."""

import asyncio
from uuid import uuid4

import pytest

from daybook_client import Daybook, Unknown, commands
from daybook_client.kafka.command_publisher import CommandPublisher
from daybook_contracts.topics import Topics
from daybook_infra.runtime.errors import KafkaAway
from daybook_infra.runtime.kafka.options import connection_of
from daybook_infra.runtime.kafka.topics import ensure_topics
from daybook_infra.runtime.settings import Settings


@pytest.fixture
async def topics(settings: Settings) -> Topics:
    await ensure_topics(settings)
    return Topics(settings.topic_prefix)


async def test_a_send_in_flight_does_not_connect_again(settings: Settings, topics: Topics) -> None:
    """Nobody answers: there is no command service."""
    before = asyncio.all_tasks()
    async with Daybook.over_kafka(
        settings.kafka_bootstrap, principal="service:shop", topic_prefix=settings.topic_prefix, attempt_seconds=1
    ) as daybook:
        command = commands.CreateOrg(org_id=uuid4(), name="x")
        sending = asyncio.create_task(daybook.send(command, deadline=10))
        await asyncio.sleep(0)
    assert isinstance(await sending, Unknown)
    assert asyncio.all_tasks() == before


async def test_a_client_that_is_closed_while_it_connects_is_disconnected(settings: Settings, topics: Topics) -> None:
    before = asyncio.all_tasks()
    daybook = Daybook.over_kafka(settings.kafka_bootstrap, principal="service:shop", topic_prefix=settings.topic_prefix)
    opening = asyncio.create_task(daybook.open())
    await asyncio.sleep(0)
    await daybook.close()
    await opening
    assert asyncio.all_tasks() == before


async def test_a_publisher_that_is_stopped_while_it_connects_is_disconnected(
    settings: Settings, topics: Topics
) -> None:
    before = asyncio.all_tasks()
    publisher = CommandPublisher(connection_of(settings), topics.commands, "test", 5.0)
    connecting = asyncio.create_task(publisher.count_partitions())
    await asyncio.sleep(0)
    await publisher.stop()
    with pytest.raises(KafkaAway):
        await connecting
    with pytest.raises(KafkaAway):
        await publisher.count_partitions()
    assert asyncio.all_tasks() == before
