"""The records on all four topics of a running system match its AsyncAPI document."""

import asyncio
from collections import defaultdict
from typing import Final

import orjson

from support.asyncapi import Messages
from support.driving import Tenant
from support.publisher import Door, Publisher, Send
from support.topics import records_of

TOPICS: Final = {"commands": "commands", "audit_log": "audit_log", "results": "results", "commands_dlq": "commands.dlq"}


async def answered(publisher: Publisher, send: Send) -> None:
    await asyncio.wait_for(await publisher.publish(send), 20)


async def test_every_record_is_as_described_except_malformed_commands(
    door: Door, tenant: Tenant, publisher: Publisher
) -> None:
    accepted, rejected = tenant.rename("Accepted"), tenant.by(tenant.viewer, "RENAME_ORG", name="Rejected")
    malformed = tenant.by(tenant.owner, "RENAME_ORG", title="no name")
    await door.send(tenant.rename("Over HTTP"), Prefer="respond-async")  # makes the door publish the command
    for send in (accepted, rejected, malformed):
        await answered(publisher, send)
    document = (await door.client.get(f"{door.url}/asyncapi")).json()

    messages = Messages(document)
    ids = {send.command["id"].encode() for send in (accepted, rejected, malformed)}
    own = {tenant.org_id.encode(), *ids}
    seen: dict[str, set[str]] = defaultdict(set)
    undescribed = []
    for channel, topic in TOPICS.items():
        assert document["channels"][channel]["address"] == publisher.settings.topic_prefix + topic
        for record in await records_of(publisher.settings, topic):
            if record.key not in own:
                continue
            text = (record.value or b"").decode()
            payload = text if channel == "commands_dlq" else orjson.loads(text)
            names = messages.matching(channel, record.headers, payload)
            seen[channel].update(names)
            undescribed += [] if names else [record.value]
    assert undescribed == [malformed.body]
    # The instance may have decided the tenant's first commands without publishing them.
    assert {"RENAME_ORG"} <= seen.pop("commands") <= {"CREATE_ORG", "ADD_MEMBER", "RENAME_ORG"}
    assert seen == {
        "audit_log": {"CREATE_ORG.entry", "ADD_MEMBER.entry", "RENAME_ORG.entry", "failure.entry"},
        "results": {"accepted.reply", "rejected.reply"},
        "commands_dlq": {"dead_letter"},
    }
