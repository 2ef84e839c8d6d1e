"""The AsyncAPI document: AsyncAPI's own parser accepts it, and records are as it says."""

import copy
import json
from typing import Any

import pytest

from daybook_command.http.asyncapi.document import describe
from daybook_command.kafka.answer_records import records_of
from daybook_command.shard.effects import Answer, Forward, RefusedRecord, Reply
from daybook_command.shard.records import CommandRecord
from daybook_contracts.commands.registry import COMMANDS
from daybook_contracts.entries.facts import ENTRY_DATA
from daybook_contracts.results import encode_record
from daybook_contracts.topics import Topics
from daybook_infra.runtime.settings import Settings
from support.asyncapi import Messages, parser_findings
from support.documents import ROOT
from support.door_doubles import DoorAlone, accepted, rejected, rename

DOCUMENT = describe(Settings(), "1.0.0")
MESSAGES = Messages(DOCUMENT)
OF_CHANNEL = {name: channel["messages"].keys() for name, channel in DOCUMENT["channels"].items()}
SECURED = {"kafka_security": "SASL_SSL", "kafka_sasl": "SCRAM-SHA-512", "kafka_user": "daybook", "topic_prefix": "a.b."}


@pytest.mark.parametrize("changes", [{}, SECURED], ids=["plain", "secured"])
def test_asyncapis_own_parser_finds_no_fault(changes: dict[str, Any]) -> None:
    assert parser_findings(describe(Settings.model_validate(changes), "1.0.0")) == []


def test_asyncapis_own_parser_finds_a_planted_fault() -> None:
    broken = copy.deepcopy(DOCUMENT)
    broken["operations"]["decideCommand"]["reply"]["channel"]["$ref"] = "#/channels/nothing"
    assert "invalid-ref" in {finding["code"] for finding in parser_findings(broken)}


async def test_the_service_serves_the_document_without_a_token() -> None:
    door = DoorAlone(kafka_bootstrap="kafka.internal:9092")
    answer = await door.client.get("/asyncapi")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json() == describe(door.settings, door.app.version)
    assert "kafka.internal" not in answer.text


def test_every_topic_has_its_messages() -> None:
    topics = Topics(Settings().topic_prefix)
    addresses = {name: channel["address"] for name, channel in DOCUMENT["channels"].items()}
    assert addresses == {
        "commands": topics.commands,
        "audit_log": topics.audit_log,
        "results": topics.results,
        "commands_dlq": topics.commands_dlq,
    }
    assert OF_CHANNEL["commands"] == COMMANDS.keys()
    assert OF_CHANNEL["audit_log"] == {*(f"{action}.entry" for action in ENTRY_DATA), "failure.entry"}
    assert OF_CHANNEL["results"] == {"accepted.reply", "rejected.reply"}
    assert OF_CHANNEL["commands_dlq"] == {"dead_letter"}


def test_a_command_is_answered_on_the_results_topic() -> None:
    for operation in ("publishCommand", "decideCommand"):
        reply = DOCUMENT["operations"][operation]["reply"]
        assert reply["channel"] == {"$ref": "#/channels/results"}
        assert len(reply["messages"]) == len(OF_CHANNEL["results"])


@pytest.mark.parametrize("name", DOCUMENT["components"]["messages"])
def test_a_message_has_a_key_and_examples_that_fit_it(name: str) -> None:
    message = DOCUMENT["components"]["messages"][name]
    assert message["bindings"]["kafka"]["key"]["description"]
    assert message["examples"]
    for example in message["examples"]:
        assert MESSAGES.faults(name, example["headers"], example["payload"]) == []


@pytest.mark.parametrize("name", DOCUMENT["components"]["messages"])
def test_the_example_of_one_message_fits_no_other_of_its_channel(name: str) -> None:
    (channel,) = [channel for channel, names in OF_CHANNEL.items() if name in names]
    for example in DOCUMENT["components"]["messages"][name]["examples"]:
        headers = [(header, value.encode()) for header, value in example["headers"].items()]
        assert MESSAGES.matching(channel, headers, example["payload"]) == [name]


async def test_the_records_that_the_http_door_publishes_are_as_described() -> None:
    door = DoorAlone(door_key="k" * 40)
    await door.send(rename(), traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
    (record,) = door.kafka.records
    assert MESSAGES.matching("commands", record.headers, json.loads(record.value)) == ["RENAME_ORG"]
    described = DOCUMENT["components"]["messages"]["RENAME_ORG"]["headers"]["properties"]
    assert {name for name, _ in record.headers if not name.startswith("ce_")} <= described.keys() | {"content-type"}


def test_the_records_of_a_shards_answer_are_as_described() -> None:
    record = CommandRecord(7, b"key", b"[]", (("daybook-principal", b"service:x"),), 0)
    results = [encode_record(decide(rename())) for decide in (accepted, rejected)]
    replies = tuple(Reply(rename()["id"], value, b"billing-7", 1, None) for value in results)
    refused_record = RefusedRecord(record, 3, "INVALID_COMMAND: not an object", keep_value=True)
    answer = Answer(replies, (Forward(2, record),), (refused_record,), next_offset=8)
    first, second, forwarded, refused = records_of(Topics("daybook."), 4, answer)
    for reply, name in ((first, "accepted.reply"), (second, "rejected.reply")):
        assert MESSAGES.matching("results", reply.headers, json.loads(reply.value or b"")) == [name]
    assert MESSAGES.faults("RENAME_ORG", {name: value.decode() for name, value in forwarded.headers}, rename()) == []
    assert "daybook-forwarded-from" in dict(forwarded.headers)
    assert MESSAGES.matching("commands_dlq", refused.headers, (refused.value or b"").decode()) == ["dead_letter"]


def test_the_page_on_topics_names_every_described_header() -> None:
    page = (ROOT / "docs" / "topics.md").read_text("utf-8")
    messages = DOCUMENT["components"]["messages"].values()
    headers = {name for message in messages for name in message["headers"]["properties"]}
    assert [name for name in sorted(headers) if f"`{name}`" not in page] == []
