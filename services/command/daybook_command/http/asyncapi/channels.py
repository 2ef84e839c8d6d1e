"""The channels of the AsyncAPI document: each topic with its settings, as `daybook init` makes it."""

from typing import Final

from daybook_command.http.asyncapi.messages import BINDING, Channel, Messages
from daybook_command.http.asyncapi.payloads import Schema
from daybook_contracts.topics import Topics
from daybook_infra.runtime.kafka.topic_rules import TopicSpec, topic_specs
from daybook_infra.runtime.settings import Settings

# The topic settings that AsyncAPI has a place for.
SHOWN: Final = ("retention.ms", "retention.bytes", "max.message.bytes")
DESCRIPTIONS: Final[dict[Channel, str]] = {
    "commands": "Commands for the shards. Only the envelope decides what a command means and where it belongs.",
    "audit_log": "The log. Apply the admission rule: not every record on this topic belongs to the log.",
    "results": (
        "Replies to commands that asked for one with the header `reply-partition`. A command may be answered more than "
        "once, each time with the same outcome."
    ),
    "commands_dlq": (
        "Commands that were refused without an entry. Of commands sent over HTTP, only those refused with `INTERNAL`."
    ),
}


def channels_of(settings: Settings, messages: Messages) -> dict[str, Schema]:
    topics = Topics(settings.topic_prefix)
    address: dict[Channel, str] = {
        "commands": topics.commands,
        "audit_log": topics.audit_log,
        "results": topics.results,
        "commands_dlq": topics.commands_dlq,
    }
    specs = {spec.name: spec for spec in topic_specs(settings)}
    return {
        channel: {
            "address": topic,
            "description": DESCRIPTIONS[channel],
            "servers": [{"$ref": "#/servers/kafka"}],
            "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages[channel]},
            "bindings": {"kafka": _binding(settings, specs[topic])},
        }
        for channel, topic in address.items()
    }


def _binding(settings: Settings, spec: TopicSpec) -> Schema:
    configs = {**spec.checked, **spec.chosen}
    return {
        "topic": spec.name,
        "partitions": settings.partitions,
        "replicas": settings.replication_factor,
        "topicConfiguration": {
            "cleanup.policy": [configs["cleanup.policy"]],
            **{name: int(configs[name]) for name in SHOWN if name in configs},
        },
        "bindingVersion": BINDING,
    }
