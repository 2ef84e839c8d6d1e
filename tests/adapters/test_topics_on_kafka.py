"""Topics on a real Kafka: created once, then checked and never altered."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from daybook_infra.runtime.errors import DaybookError, KafkaAway
from daybook_infra.runtime.kafka.clients import admin
from daybook_infra.runtime.kafka.topics import TopicMismatch, ensure_topics, verify_topics
from daybook_infra.runtime.settings import Settings

NAMES = ("commands", "audit_log", "results", "commands.dlq")
SETTINGS = {"init": False, "partitions": 3}


@pytest.fixture
async def kafka(settings: Settings) -> AsyncIterator[AIOKafkaAdminClient]:
    async with admin(settings) as client:
        yield client


async def refusal(settings: Settings) -> str:
    """The reason why the topics are refused, or "". It can be "" for a moment after a change, because brokers apply the
    change later than the controller.
    """
    try:
        await verify_topics(settings)
    except TopicMismatch as error:
        return str(error)
    return ""


async def test_topics_are_created_once(settings: Settings) -> None:
    assert await ensure_topics(settings) == tuple(settings.topic_prefix + name for name in NAMES)
    assert await ensure_topics(settings) == ()
    await verify_topics(settings)


async def test_only_a_missing_topic_is_created(settings: Settings, kafka: AIOKafkaAdminClient) -> None:
    results = f"{settings.topic_prefix}results"
    await kafka.create_topics([NewTopic(results, 3, 1, topic_configs={"max.message.bytes": "4194304"})])
    assert results not in await ensure_topics(settings)
    await verify_topics(settings)


async def test_missing_topics_are_named(settings: Settings) -> None:
    with pytest.raises(TopicMismatch, match=r"audit_log does not exist \(run `daybook init`\)"):
        await verify_topics(settings)


async def test_another_number_of_partitions_is_refused(settings: Settings) -> None:
    await ensure_topics(settings)
    with pytest.raises(TopicMismatch, match="audit_log has 3 partitions, DAYBOOK_PARTITIONS says 4"):
        await verify_topics(settings.model_copy(update={"partitions": 4}))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("max.message.bytes", "1048588"),
        ("unclean.leader.election.enable", "true"),
        ("retention.ms", "604800000"),
        ("cleanup.policy", "compact"),
        ("compression.type", "zstd"),
    ],
)
async def test_a_log_with_unsafe_settings_is_refused(
    settings: Settings, kafka: AIOKafkaAdminClient, key: str, value: str
) -> None:
    await ensure_topics(settings)
    log = ConfigResource(ConfigResourceType.TOPIC, f"{settings.topic_prefix}audit_log", {key: value})
    await kafka.alter_configs([log])
    async with asyncio.timeout(10):
        while key not in await refusal(settings):
            pass
    with pytest.raises(TopicMismatch, match=f"audit_log has {key}={value}"):
        await ensure_topics(settings)


async def test_more_replicas_than_brokers_is_one_clear_error(settings: Settings) -> None:
    with pytest.raises(DaybookError, match=r"commands could not be created: .*replica"):
        await ensure_topics(settings.model_copy(update={"replication_factor": 3}))


async def test_an_unreachable_kafka_is_one_clear_error(settings: Settings) -> None:
    with pytest.raises(KafkaAway, match=r"^Kafka is not reachable at 127\.0\.0\.1:1$"):
        await verify_topics(settings.model_copy(update={"kafka_bootstrap": "127.0.0.1:1"}))
