"""The settings that the four topics must have, and the faults of a topic. Without these settings the log is not safe
(docs/log.md, rules 6 and 8).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from daybook_contracts.topics import Topics
from daybook_infra.runtime.kafka.options import MIB
from daybook_infra.runtime.settings import Settings, env_name

DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """`checked`: settings that the topic must have. `chosen`: further settings that it gets if Daybook creates it."""

    name: str
    checked: Mapping[str, str]
    chosen: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class TopicState:
    partitions: int
    replicas: int
    configs: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Denied:
    """Kafka hides the topic (Describe) or its settings (DescribeConfigs), because an ACL for `operation` is missing."""

    operation: str


def topic_specs(settings: Settings) -> tuple[TopicSpec, ...]:
    topics = Topics(settings.topic_prefix)
    return (
        _spec(settings, topics.commands, 4 * MIB, **{"retention.ms": str(30 * DAY_MS), "retention.bytes": "-1"}),
        _log_spec(settings, topics.audit_log),
        _spec(settings, topics.results, 4 * MIB, **{"retention.ms": str(DAY_MS)}),
        _spec(settings, topics.commands_dlq, 5 * MIB, **{"retention.ms": str(30 * DAY_MS), "retention.bytes": "-1"}),
    )


def topic_faults(settings: Settings, spec: TopicSpec, seen: TopicState | Denied | None) -> list[str]:
    """One line for each fault of the topic; `seen` is None if it does not exist."""
    if seen is None:
        return [f"topic {spec.name} does not exist (run `daybook init`)"]
    if isinstance(seen, Denied):
        return [f"{not_authorised(settings, spec.name)}: an ACL ({seen.operation}) is missing"]
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
            # With any other value the broker decompresses what clients send: a batch of 4 MiB can take more than its
            # heap. The broker could also send results in a codec that clients lack.
            "compression.type": "producer",
            "max.message.bytes": str(max_bytes),
            "unclean.leader.election.enable": "false",
        },
        # Times are by the broker's clock: with a publisher's wrong clock, retention could delete undecided commands.
        chosen={
            "message.timestamp.type": "LogAppendTime",
            "min.insync.replicas": str(settings.min_insync_replicas),
            **chosen,
        },
    )


def _log_spec(settings: Settings, name: str) -> TopicSpec:
    spec = _spec(settings, name, 4 * MIB)
    return TopicSpec(name, {**spec.checked, "retention.ms": "-1", "retention.bytes": "-1"}, spec.chosen)


def not_authorised(settings: Settings, name: str) -> str:
    who = f"user {settings.kafka_user}" if settings.kafka_user else "this client"
    return f"{who} is not authorised for topic {name}"
