"""Kafka refuses authentication or an operation: the error reports the refusal, not an unreachable server or a missing
topic.
"""

from collections.abc import Iterator
from uuid import uuid4

import pytest
from pydantic import SecretStr

from daybook_client import CredentialsRefused, Rejected, commands
from daybook_client.attempts import Again
from daybook_client.kafka.command_publisher import CommandPublisher, CommandToSend, Fate
from daybook_client.kafka.connection import KafkaConnection
from daybook_client.kafka.replies import Replies
from daybook_client.kafka.transport import KafkaTransport, signer_of
from daybook_command.kafka.log_writer import LogWriter
from daybook_command.shard.effects import Append, LogAppend
from daybook_command.shard.events import AppendUnknown
from daybook_contracts.entries.reading import read_entry
from daybook_contracts.topics import Topics
from daybook_infra.operations.status_report import collect_status
from daybook_infra.runtime.errors import DaybookError, KafkaAway
from daybook_infra.runtime.kafka.options import connection_of
from daybook_infra.runtime.kafka.topics import TopicMismatch, ensure_topics, verify_topics
from daybook_infra.runtime.settings import Settings
from suites.door import published
from support.driving import eventually
from support.entry_samples import samples
from support.guarded_kafka import USER, GuardedKafka, Operation, Resource, guarded_kafka

NAMES = ("commands", "audit_log", "results", "commands.dlq")


@pytest.fixture(scope="module")
def guarded() -> Iterator[GuardedKafka]:
    with guarded_kafka() as started:
        yield started


@pytest.fixture
def settings(guarded: GuardedKafka) -> Settings:
    return guarded.settings(topic_prefix=f"t{uuid4().hex[:8]}.")


async def create_topics(guarded: GuardedKafka, settings: Settings, *operations: Operation) -> Topics:
    """The superuser creates the topics and allows the user these operations on them."""
    await ensure_topics(guarded.superuser(topic_prefix=settings.topic_prefix))
    for name in NAMES:
        await guarded.allow(Resource.TOPIC, f"{settings.topic_prefix}{name}", *operations)
    return Topics(settings.topic_prefix)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (
            {"kafka_password": SecretStr("hush")},
            rf"refuses user {USER}: SASL authentication failed; check DAYBOOK_KAFKA_USER and DAYBOOK_KAFKA_PASSWORD$",
        ),
        ({"kafka_sasl": "SCRAM-SHA-512"}, r"does not accept SCRAM-SHA-512: check DAYBOOK_KAFKA_SASL$"),
        (
            {"kafka_security": "PLAINTEXT"},
            r"closes the connection: does it speak PLAINTEXT\? check DAYBOOK_KAFKA_SECURITY$",
        ),
        ({"kafka_security": "SSL"}, r"closes the connection: does it speak SSL\? check DAYBOOK_KAFKA_SECURITY$"),
    ],
)
async def test_a_refused_client_gets_the_reason(settings: Settings, changes: dict[str, object], reason: str) -> None:
    with pytest.raises(KafkaAway, match=rf"^Kafka at 127\.0\.0\.1:\d+ {reason}") as refused:
        await verify_topics(settings.model_copy(update=changes))
    assert "hush" not in str(refused.value)


async def test_sasl_on_a_port_without_it_is_named(guarded: GuardedKafka) -> None:
    with pytest.raises(KafkaAway, match=r"does not use SASL at this port: check DAYBOOK_KAFKA_SECURITY$"):
        await verify_topics(guarded.settings(kafka_bootstrap=guarded.bootstrap))


async def test_a_refused_login_is_the_outcome_of_valid_commands_only(settings: Settings) -> None:
    login = KafkaConnection(settings.kafka_bootstrap, "SASL_PLAINTEXT", "PLAIN", USER, "hush")
    transport = KafkaTransport(login, settings.topic_prefix, signer_of("service:shop", None), 10.0)
    asked = [commands.RenameOrg(org_id=uuid4(), name=name) for name in ("", "x")]
    invalid, refused = await transport.attempt(asked, 10.0)
    await transport.close()
    assert isinstance(invalid, Rejected)
    assert isinstance(refused, CredentialsRefused)
    assert "SASL authentication failed" in str(refused)


async def test_topics_that_may_not_be_created_are_named(settings: Settings) -> None:
    with pytest.raises(DaybookError) as refused:
        await ensure_topics(settings)
    assert set(str(refused.value).split("; ")) == {
        f"user {USER} is not authorised for topic {settings.topic_prefix}{name}: "
        "an ACL is missing (Describe if the topic exists, else Create)"
        for name in NAMES
    }


@pytest.mark.parametrize(
    ("operations", "missing"), [((), "Describe"), ((Operation.DESCRIBE,), "DescribeConfigs")], ids=str
)
async def test_topics_that_may_not_be_described_are_not_reported_as_missing(
    guarded: GuardedKafka, settings: Settings, operations: tuple[Operation, ...], missing: str
) -> None:
    await create_topics(guarded, settings, *operations)
    faults = [
        f"user {USER} is not authorised for topic {settings.topic_prefix}{name}: an ACL ({missing}) is missing"
        for name in NAMES
    ]

    async def are_reported() -> bool:
        with pytest.raises(TopicMismatch) as refused:
            await verify_topics(settings)
        return str(refused.value).split("; ") == faults

    await eventually(are_reported)  # the broker may list an ACL a moment before it applies it


async def test_status_reports_a_missing_acl(guarded: GuardedKafka, settings: Settings) -> None:
    await create_topics(guarded, settings)
    with pytest.raises(KafkaAway, match=rf"^Kafka refuses: user {USER} is not authorised for topic .*audit_log, .*"):
        await collect_status(settings)


async def test_a_group_that_may_not_be_joined_is_named_at_start(guarded: GuardedKafka, settings: Settings) -> None:
    topics = await create_topics(guarded, settings, Operation.DESCRIBE, Operation.DESCRIBE_CONFIGS)
    with pytest.raises(DaybookError) as refused:
        await verify_topics(settings, topics.command_group)
    assert str(refused.value) == (
        f"user {USER} is not authorised for group {topics.command_group}: an ACL (Read) is missing"
    )
    await guarded.allow(Resource.GROUP, topics.command_group, Operation.READ)
    await verify_topics(settings, topics.command_group)


async def test_a_publisher_without_write_rights_has_a_fault_until_they_are_granted(
    guarded: GuardedKafka, settings: Settings
) -> None:
    topics = await create_topics(guarded, settings, Operation.DESCRIBE)
    # A producer cannot start without the right to write to at least one topic.
    await guarded.allow(Resource.TOPIC, topics.results, Operation.WRITE)
    publisher = CommandPublisher(connection_of(settings), topics.commands, "test", 5.0)
    record = CommandToSend(0, b"key", b"value", [])
    assert await published(publisher, [record]) == [Fate.NOTHING_DONE]
    fault = publisher.fault
    assert f"user {USER} is not authorised for topic {topics.commands}" in (fault or "")
    await guarded.allow(Resource.TOPIC, topics.commands, Operation.WRITE)

    async def is_published() -> bool:
        return await published(publisher, [record]) == [Fate.PUBLISHED]

    await eventually(is_published)
    assert publisher.fault is None
    await publisher.stop()


async def test_a_missing_acl_is_the_reason_why_a_client_could_not_publish(
    guarded: GuardedKafka, settings: Settings
) -> None:
    topics = await create_topics(guarded, settings, Operation.DESCRIBE)
    await guarded.allow(Resource.TOPIC, topics.results, Operation.READ, Operation.WRITE)
    transport = KafkaTransport(connection_of(settings), settings.topic_prefix, signer_of("service:shop", None), 10.0)
    (verdict,) = await transport.attempt([commands.RenameOrg(org_id=uuid4(), name="x")], 10.0)
    await transport.close()
    assert isinstance(verdict, Again)
    assert f"user {USER} is not authorised for topic {topics.commands}: an ACL is missing" in verdict.reason


async def test_an_append_without_write_rights_is_unknown_with_a_reason(
    guarded: GuardedKafka, settings: Settings
) -> None:
    topics = await create_topics(guarded, settings, Operation.DESCRIBE)
    await guarded.allow(Resource.TOPIC, topics.results, Operation.WRITE)
    writer = LogWriter(settings, topics.audit_log)
    entry = read_entry(samples()["RENAME_ORG.v1.json"].value)
    assert await writer.append(0, Append((LogAppend(entry, b"value", None),))) == AppendUnknown()
    assert writer.fault is not None
    assert f"user {USER} is not authorised for topic {topics.audit_log}: an ACL is missing" in writer.fault
    await writer.stop()


async def test_replies_without_read_rights_have_a_fault_until_they_are_granted(
    guarded: GuardedKafka, settings: Settings
) -> None:
    topics = await create_topics(guarded, settings, Operation.DESCRIBE)
    replies = Replies(connection_of(settings), topics.results, "test", partitions=settings.partitions)
    await replies.start()

    async def fault() -> str | None:
        return replies.fault

    async def has_no_fault() -> bool:
        return replies.fault is None

    assert f"user {USER} is not authorised for topic {topics.results}: an ACL is missing" in (
        await eventually(fault) or ""
    )
    await guarded.allow(Resource.TOPIC, topics.results, Operation.READ)
    await eventually(has_no_fault)
    await replies.stop()
