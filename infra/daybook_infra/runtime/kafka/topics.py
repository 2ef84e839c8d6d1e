"""Creates the four topics and checks them against topic_rules.py."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import (
    BrokerResponseError,
    GroupAuthorizationFailedError,
    TopicAlreadyExistsError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
    for_code,
)

from daybook_client.kafka.refusals import describe_denial
from daybook_infra.runtime.errors import DaybookError
from daybook_infra.runtime.kafka.clients import admin
from daybook_infra.runtime.kafka.options import connection_of
from daybook_infra.runtime.kafka.topic_rules import (
    Denied,
    TopicSpec,
    TopicState,
    not_authorised,
    topic_faults,
    topic_specs,
)
from daybook_infra.runtime.settings import Settings

_DENIED = TopicAuthorizationFailedError.errno
_MISSING_OR_HIDDEN = {_DENIED, UnknownTopicOrPartitionError.errno}
SETTLE_SECONDS = 10.0


class TopicMismatch(DaybookError):
    """A topic is missing or lacks a setting that the log needs, so no service may start."""


async def ensure_topics(settings: Settings) -> tuple[str, ...]:
    """Create missing topics, verify all, and return the names of those created. Never alters an existing topic.
    Raises `TopicMismatch`, `DaybookError` if a topic cannot be created, and `KafkaAway`.
    """
    async with admin(settings) as client:
        made = await _create_missing(client, settings, topic_specs(settings))
        await _wait_until_settled(client, settings, made)
    return made


async def verify_topics(settings: Settings, group: str | None = None) -> None:
    """Verify the topics and, if a group is named, the right to join it. Raises `TopicMismatch` with every fault of the
    topics, `DaybookError` for the group, and `KafkaAway`.
    """
    async with admin(settings) as client:
        await _verify(client, settings)
        if group is not None:
            await _verify_group(client, settings, group)


async def _create_missing(
    client: AIOKafkaAdminClient, settings: Settings, specs: Sequence[TopicSpec]
) -> tuple[str, ...]:
    existing = set(await client.list_topics())
    missing = [spec for spec in specs if spec.name not in existing]
    if not missing:
        return ()
    response = await client.create_topics([_new_topic(settings, spec) for spec in missing])
    made, refused = [], []
    for topic in response.to_object()["topic_errors"]:
        if topic["error_code"] == 0:
            made.append(topic["topic"])
        elif topic["error_code"] == _DENIED:
            refused.append(
                f"{not_authorised(settings, topic['topic'])}: an ACL is missing "
                "(Describe if the topic exists, else Create)"
            )
        elif topic["error_code"] != TopicAlreadyExistsError.errno:
            refused.append(f"topic {topic['topic']} could not be created: {_error_text(topic)}")
    if refused:
        raise DaybookError("; ".join(refused))
    return tuple(made)


def _new_topic(settings: Settings, spec: TopicSpec) -> NewTopic:
    return NewTopic(
        spec.name,
        num_partitions=settings.partitions,
        replication_factor=settings.replication_factor,
        topic_configs={**spec.checked, **spec.chosen},
    )


async def _wait_until_settled(client: AIOKafkaAdminClient, settings: Settings, made: Sequence[str]) -> None:
    """Asks a random broker each time, until the answers have the new topics, their settings and their leaders. Raises
    `TopicMismatch` after SETTLE_SECONDS if topics or settings are still missing.
    """
    deadline = asyncio.get_running_loop().time() + SETTLE_SECONDS if made else 0
    while True:
        if set(made) <= await _topics_with_leaders(client) and not await _find_faults(
            client, settings, _topic_names(settings)
        ):
            return
        if asyncio.get_running_loop().time() > deadline:
            break
        await asyncio.sleep(0.05)
    await _verify(client, settings)


async def _topics_with_leaders(client: AIOKafkaAdminClient) -> set[str]:
    described = await client.describe_topics()
    return {
        topic["topic"]
        for topic in described
        if topic["partitions"] and all(partition["leader"] >= 0 for partition in topic["partitions"])
    }


def _topic_names(settings: Settings) -> list[str]:
    return [spec.name for spec in topic_specs(settings)]


async def _verify(client: AIOKafkaAdminClient, settings: Settings) -> None:
    found = await _find_faults(client, settings, _topic_names(settings))
    if found:
        raise TopicMismatch("; ".join(found))


async def _verify_group(client: AIOKafkaAdminClient, settings: Settings, group: str) -> None:
    try:
        await client.find_coordinator(group)
    except GroupAuthorizationFailedError as error:
        raise DaybookError(describe_denial(connection_of(settings), GroupAuthorizationFailedError(group))) from error
    except BrokerResponseError:
        # There is no coordinator yet: Kafka creates its offsets topic on the first request for a group.
        return


async def _find_faults(client: AIOKafkaAdminClient, settings: Settings, names: Sequence[str]) -> list[str]:
    seen = await _read_states(client, names)
    specs = [spec for spec in topic_specs(settings) if spec.name in names]
    return [fault for spec in specs for fault in topic_faults(settings, spec, seen.get(spec.name))]


async def _read_states(client: AIOKafkaAdminClient, names: Sequence[str]) -> dict[str, TopicState | Denied]:
    """Requests topics by name, because a list of all topics omits those that the client may not see."""
    answers = await client.describe_topics(list(names))
    described = {
        topic["topic"]: topic["partitions"] for topic in answers if topic["error_code"] not in _MISSING_OR_HIDDEN
    }
    hidden = {topic["topic"]: Denied("Describe") for topic in answers if topic["error_code"] == _DENIED}
    present = [name for name in names if name in described]
    if not present:
        return {**hidden}
    configs = await _read_configs(client, present)
    unread = {name: Denied("DescribeConfigs") for name, found in configs.items() if found is None}
    return {
        **hidden,
        **unread,
        **_to_states(described, {name: found for name, found in configs.items() if found is not None}),
    }


def _to_states(described: Mapping[str, Any], configs: Mapping[str, Mapping[str, str]]) -> dict[str, TopicState]:
    return {
        name: TopicState(
            partitions=len(described[name]),
            replicas=min((len(partition["replicas"]) for partition in described[name]), default=0),
            configs=configs[name],
        )
        for name in configs
    }


async def _read_configs(client: AIOKafkaAdminClient, names: Sequence[str]) -> dict[str, dict[str, str] | None]:
    """Each topic's settings; None if this client may not read them. Omits topics that the broker does not know yet."""
    (response,) = await client.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name) for name in names])
    found: dict[str, dict[str, str] | None] = {}
    for topic in response.to_object()["resources"]:
        if topic["error_code"] == UnknownTopicOrPartitionError.errno:
            continue
        if topic["error_code"] == _DENIED:
            found[topic["resource_name"]] = None
            continue
        if topic["error_code"] != 0:
            raise DaybookError(f"topic {topic['resource_name']} could not be read: {_error_text(topic)}")
        entries = topic["config_entries"]
        found[topic["resource_name"]] = {entry["config_names"]: entry["config_value"] for entry in entries}
    return found


def _error_text(answer: Mapping[str, Any]) -> str:
    return str(answer.get("error_message") or for_code(answer["error_code"]).__name__)
