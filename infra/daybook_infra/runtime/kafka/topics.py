"""The four topics: settings in, topics made and checked. What stands in a record is not known here.
The checks are rules 6 and 8 of docs/log.md: without them the log is not safe.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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

from daybook_contracts.topics import Topics
from daybook_infra.runtime.errors import DaybookError
from daybook_infra.runtime.kafka.clients import admin
from daybook_infra.runtime.kafka.options import MIB
from daybook_infra.runtime.kafka.refusals import describe_denial
from daybook_infra.runtime.settings import Settings, env_name

DAY_MS = 86_400_000
_DENIED = TopicAuthorizationFailedError.errno
_NOT_THERE = {_DENIED, UnknownTopicOrPartitionError.errno}
SETTLE_SECONDS = 10.0


class TopicMismatch(DaybookError):
    """A topic is missing or is not as the log needs it: nothing may be started on it."""


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """`checked` is required of a topic that somebody else made, `chosen` is only given to one that is made here."""

    name: str
    checked: Mapping[str, str]
    chosen: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Seen:
    partitions: int
    replicas: int
    configs: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Denied:
    """Kafka says nothing of a topic, not even whether it exists, to whom no ACL lets `operation` it."""

    operation: str


def topic_specs(settings: Settings) -> tuple[TopicSpec, ...]:
    topics = Topics(settings.topic_prefix)
    return (
        _spec(settings, topics.commands, 4 * MIB, **{"retention.ms": str(30 * DAY_MS), "retention.bytes": "-1"}),
        _log(settings, topics.audit_log),
        _spec(settings, topics.results, 4 * MIB, **{"retention.ms": str(DAY_MS)}),
        _spec(settings, topics.commands_dlq, 5 * MIB, **{"retention.ms": str(30 * DAY_MS), "retention.bytes": "-1"}),
    )


async def ensure_topics(settings: Settings) -> tuple[str, ...]:
    """Makes what is missing and returns the names of what it made; then verifies all.
    Raises `TopicMismatch`, `KafkaAway`. A topic that exists is never altered.
    """
    async with admin(settings) as client:
        made = await _create(client, settings, topic_specs(settings))
        await _until_settled(client, settings, made)
    return made


async def verify_topics(settings: Settings, group: str | None = None) -> None:
    """Also whether a consumer group may be joined, if one is named. Raises `TopicMismatch` that names every fault of
    the topics, `DaybookError` for the group, `KafkaAway` where nobody answers.
    """
    async with admin(settings) as client:
        await _verify(client, settings)
        if group is not None:
            await _verify_group(client, settings, group)


def faults(settings: Settings, spec: TopicSpec, seen: Seen | Denied | None) -> list[str]:
    """What is wrong with one topic, a line for each."""
    if seen is None:
        return [f"topic {spec.name} does not exist (run `daybook init`)"]
    if isinstance(seen, Denied):
        return [f"{_denied(settings, spec.name)}: an ACL ({seen.operation}) is missing"]
    found = [
        f"topic {spec.name} has {key}={seen.configs.get(key)}, needs {value}"
        for key, value in spec.checked.items()
        if seen.configs.get(key) != value
    ]
    if seen.partitions != settings.partitions:
        setting = f"{env_name('partitions')} says {settings.partitions}"
        found.append(f"topic {spec.name} has {seen.partitions} partitions, {setting}")
    if seen.replicas < settings.replication_factor:
        found.append(f"topic {spec.name} has {seen.replicas} replicas, needs {settings.replication_factor}")
    if int(seen.configs.get("min.insync.replicas", "0")) < settings.min_insync_replicas:
        found.append(f"topic {spec.name} has min.insync.replicas below {settings.min_insync_replicas}")
    return found


def _spec(settings: Settings, name: str, max_bytes: int, **chosen: str) -> TopicSpec:
    return TopicSpec(
        name,
        checked={
            "cleanup.policy": "delete",
            # Any other and the broker unfolds what clients sent, in its own memory, to compress it anew: a batch of
            # 4 MiB can take more than its heap. It could also hand results to clients in a codec that they lack.
            "compression.type": "producer",
            "max.message.bytes": str(max_bytes),
            "unclean.leader.election.enable": "false",
        },
        # The broker's clock: a publisher's wrong one could otherwise let retention drop what is not decided yet.
        chosen={
            "message.timestamp.type": "LogAppendTime",
            "min.insync.replicas": str(settings.min_insync_replicas),
            **chosen,
        },
    )


def _log(settings: Settings, name: str) -> TopicSpec:
    spec = _spec(settings, name, 4 * MIB)
    return TopicSpec(name, {**spec.checked, "retention.ms": "-1", "retention.bytes": "-1"}, spec.chosen)


async def _create(client: AIOKafkaAdminClient, settings: Settings, specs: Sequence[TopicSpec]) -> tuple[str, ...]:
    existing = set(await client.list_topics())
    missing = [spec for spec in specs if spec.name not in existing]
    if not missing:
        return ()
    response = await client.create_topics([_new(settings, spec) for spec in missing])
    made, refused = [], []
    for topic in response.to_object()["topic_errors"]:
        if topic["error_code"] == 0:
            made.append(topic["topic"])
        elif topic["error_code"] == _DENIED:
            refused.append(f"{_denied(settings, topic['topic'])}: an ACL is missing (Create, or Describe if it exists)")
        elif topic["error_code"] != TopicAlreadyExistsError.errno:
            refused.append(f"topic {topic['topic']} could not be made: {_why(topic)}")
    if refused:
        raise DaybookError("; ".join(refused))
    return tuple(made)


def _new(settings: Settings, spec: TopicSpec) -> NewTopic:
    return NewTopic(
        spec.name,
        num_partitions=settings.partitions,
        replication_factor=settings.replication_factor,
        topic_configs={**spec.checked, **spec.chosen},
    )


async def _until_settled(client: AIOKafkaAdminClient, settings: Settings, made: Sequence[str]) -> None:
    """The controller has made them; brokers learn of it, of their settings, and elect leaders, a moment later, each in
    its own time. Kafka tells nobody when it is done. Raises `TopicMismatch` where all is not as it must be by then.
    """
    deadline = asyncio.get_running_loop().time() + SETTLE_SECONDS if made else 0
    while True:
        if set(made) <= await _led(client) and not await _faults(client, settings, _names(settings)):
            return
        if asyncio.get_running_loop().time() > deadline:
            break
        await asyncio.sleep(0.05)
    await _verify(client, settings)


async def _led(client: AIOKafkaAdminClient) -> set[str]:
    described = await client.describe_topics()
    return {
        topic["topic"]
        for topic in described
        if topic["partitions"] and all(partition["leader"] >= 0 for partition in topic["partitions"])
    }


def _names(settings: Settings) -> list[str]:
    return [spec.name for spec in topic_specs(settings)]


async def _verify(client: AIOKafkaAdminClient, settings: Settings) -> None:
    found = await _faults(client, settings, _names(settings))
    if found:
        raise TopicMismatch("; ".join(found))


async def _verify_group(client: AIOKafkaAdminClient, settings: Settings, group: str) -> None:
    try:
        await client.find_coordinator(group)
    except GroupAuthorizationFailedError as error:
        raise DaybookError(describe_denial(settings, GroupAuthorizationFailedError(group))) from error
    except BrokerResponseError:
        # Kafka makes its offsets topic when a group is first asked for: it has no coordinator yet.
        return


async def _faults(client: AIOKafkaAdminClient, settings: Settings, names: Sequence[str]) -> list[str]:
    seen = await _look(client, names)
    specs = [spec for spec in topic_specs(settings) if spec.name in names]
    return [fault for spec in specs for fault in faults(settings, spec, seen.get(spec.name))]


async def _look(client: AIOKafkaAdminClient, names: Sequence[str]) -> dict[str, Seen | Denied]:
    """Asked for by name: a list of all leaves out what the client may not see."""
    answers = await client.describe_topics(list(names))
    described = {topic["topic"]: topic["partitions"] for topic in answers if topic["error_code"] not in _NOT_THERE}
    hidden = {topic["topic"]: Denied("Describe") for topic in answers if topic["error_code"] == _DENIED}
    present = [name for name in names if name in described]
    if not present:
        return {**hidden}
    configs = await _configs(client, present)
    unread = {name: Denied("DescribeConfigs") for name, found in configs.items() if found is None}
    return {
        **hidden,
        **unread,
        **_seen(described, {name: found for name, found in configs.items() if found is not None}),
    }


def _seen(described: Mapping[str, Any], configs: Mapping[str, Mapping[str, str]]) -> dict[str, Seen]:
    return {
        name: Seen(
            partitions=len(described[name]),
            replicas=min((len(partition["replicas"]) for partition in described[name]), default=0),
            configs=configs[name],
        )
        for name in configs
    }


async def _configs(client: AIOKafkaAdminClient, names: Sequence[str]) -> dict[str, dict[str, str] | None]:
    """Without those that the broker which was asked has not heard of yet; None for those that may not be read."""
    (response,) = await client.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name) for name in names])
    found: dict[str, dict[str, str] | None] = {}
    for topic in response.to_object()["resources"]:
        if topic["error_code"] == UnknownTopicOrPartitionError.errno:
            continue
        if topic["error_code"] == _DENIED:
            found[topic["resource_name"]] = None
            continue
        if topic["error_code"] != 0:
            raise DaybookError(f"topic {topic['resource_name']} could not be read: {_why(topic)}")
        entries = topic["config_entries"]
        found[topic["resource_name"]] = {entry["config_names"]: entry["config_value"] for entry in entries}
    return found


def _denied(settings: Settings, name: str) -> str:
    who = f"user {settings.kafka_user}" if settings.kafka_user else "this client"
    return f"{who} is not authorised for topic {name}"


def _why(answer: Mapping[str, Any]) -> str:
    return str(answer.get("error_message") or for_code(answer["error_code"]).__name__)
