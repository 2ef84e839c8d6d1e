"""The AsyncAPI 3 document of all four topics: settings in, a JSON object out."""

from typing import Final

from daybook_command.http.asyncapi.channels import channels_of
from daybook_command.http.asyncapi.messages import BINDING, Channel, Messages, messages_by_channel
from daybook_command.http.asyncapi.payloads import Schema, payload_schemas
from daybook_contracts.topics import Topics
from daybook_infra.runtime.settings import Settings

VERSION: Final = "3.0.0"
DESCRIPTION: Final = (
    "Publish commands to one topic, read their outcomes from another, and follow the log on a third. "
    "The key of a command's record is its org's id; of REGISTER_USER, the user's id. "
    "Headers are strings in UTF-8."
)
# The AsyncAPI name of each SASL mechanism.
SASL: Final = {"PLAIN": "plain", "SCRAM-SHA-256": "scramSha256", "SCRAM-SHA-512": "scramSha512"}


def describe(settings: Settings, version: str) -> Schema:
    topics = Topics(settings.topic_prefix)
    messages = messages_by_channel()
    return {
        "asyncapi": VERSION,
        "info": {"title": "Daybook", "version": version, "description": DESCRIPTION},
        "defaultContentType": "application/json",
        "servers": {"kafka": _server(settings)},
        "channels": channels_of(settings, messages),
        "operations": _operations(topics, messages),
        "components": {
            "messages": {name: message for group in messages.values() for name, message in group.items()},
            "schemas": payload_schemas(),
            **_security_schemes(settings),
        },
    }


def _server(settings: Settings) -> Schema:
    server = {
        "host": "{bootstrap}",
        "protocol": "kafka-secure" if settings.kafka_security.endswith("SSL") else "kafka",
        "description": "Your Kafka cluster.",
        "variables": {
            "bootstrap": {
                "description": "A server of the cluster; ask the operator of this instance for the addresses.",
                "default": "localhost:9092",
            }
        },
    }
    return server | ({"security": [{"$ref": "#/components/securitySchemes/sasl"}]} if _uses_sasl(settings) else {})


def _security_schemes(settings: Settings) -> Schema:
    return {"securitySchemes": {"sasl": {"type": SASL[settings.kafka_sasl]}}} if _uses_sasl(settings) else {}


def _uses_sasl(settings: Settings) -> bool:
    return settings.kafka_security.startswith("SASL")


def _operations(topics: Topics, messages: Messages) -> Schema:
    reply = {
        "reply": {
            "channel": _channel("results"),
            "messages": _refs("results", messages),
        }
    }
    return {
        "publishCommand": {
            **_operation("send", "commands", messages, "The HTTP door publishes commands; your service may, too."),
            **reply,
        },
        "decideCommand": {
            **_operation("receive", "commands", messages, "A shard decides each command and answers it."),
            **_group(topics.command_group),
            **reply,
        },
        "appendEntry": _operation("send", "audit_log", messages, "A shard appends entries. Nobody else may."),
        "projectEntry": {
            **_operation("receive", "audit_log", messages, "The projector writes the entries to the tables."),
            **_group(topics.projector_group),
        },
        "keepDeadLetter": _operation("send", "commands_dlq", messages, "A shard keeps a command that it refused."),
    }


def _operation(action: str, channel: Channel, messages: Messages, summary: str) -> Schema:
    return {
        "action": action,
        "channel": _channel(channel),
        "summary": summary,
        "messages": _refs(channel, messages),
    }


def _group(name: str) -> Schema:
    return {"bindings": {"kafka": {"groupId": {"type": "string", "enum": [name]}, "bindingVersion": BINDING}}}


def _channel(channel: Channel) -> Schema:
    return {"$ref": f"#/channels/{channel}"}


def _refs(channel: Channel, messages: Messages) -> list[Schema]:
    return [{"$ref": f"#/channels/{channel}/messages/{name}"} for name in messages[channel]]
