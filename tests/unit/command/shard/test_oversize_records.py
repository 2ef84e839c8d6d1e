"""A record that is too large for a command is refused. Only its command id is read, and its value is not kept."""

import json
from uuid import UUID

import pytest
from aiokafka import ConsumerRecord

from daybook_command.kafka.answer_records import records_of
from daybook_command.kafka.command_subscriber import command_record
from daybook_command.shard.effects import Answer
from daybook_command.shard.records import CommandRecord
from daybook_contracts.limits import ENVELOPE_BYTES
from daybook_contracts.topics import Topics
from support.one_shard import arrive, loaded_snapshot, only_effect, ready_shard

TOPICS = Topics("daybook.")
ID = str(UUID(int=0xC0, version=4))
BEGINNING = b'{"id": "' + ID.encode() + b'", "x": "'
MIB = 1024 * 1024


def arrived(value: bytes | None) -> CommandRecord:
    record: ConsumerRecord[bytes, bytes] = ConsumerRecord(
        topic="daybook.commands",
        partition=0,
        offset=7,
        timestamp=0,
        timestamp_type=0,
        key=b"k",
        value=value,
        checksum=None,
        serialized_key_size=1,
        serialized_value_size=0,
        headers=(("reply-partition", b"0"), ("correlation-id", b"c")),
    )
    return command_record(record)


def answered(*records: CommandRecord) -> Answer:
    shard = ready_shard()
    effects = arrive(shard, *records)
    answers = [effect for effect in effects if isinstance(effect, Answer)]
    return answers[0] if answers else only_effect(shard.handle(loaded_snapshot(effects)), Answer)


@pytest.mark.parametrize("cut", [True, False], ids=["as it arrives", "not cut"])
def test_the_dead_letter_of_an_oversize_record_has_no_value_and_names_its_origin(*, cut: bool) -> None:
    value = BEGINNING + b"x" * (ENVELOPE_BYTES + 1 - len(BEGINNING))
    record = arrived(value) if cut else CommandRecord(7, b"k", value, (), 0)
    letter = records_of(TOPICS, 0, answered(record))[-1]
    headers = dict(letter.headers)
    assert (letter.topic, letter.key, letter.value) == ("daybook.commands.dlq", b"k", b"")
    assert headers["daybook-reason"].startswith(b"INVALID_COMMAND: the envelope must be at most 256 KiB")
    assert headers["daybook-reason"].endswith(b"(the record is too large to be kept here: it is at its origin alone)")
    assert headers["daybook-origin"] == b"daybook.commands/0/7"


def test_the_answer_to_an_oversize_record_names_its_command_id() -> None:
    reply = answered(arrived(BEGINNING + b"x" * ENVELOPE_BYTES)).replies[0]
    assert json.loads(reply.value)["command_id"] == ID


def test_the_largest_allowed_record_is_kept_whole() -> None:
    value = b"x" * ENVELOPE_BYTES
    letter = records_of(TOPICS, 0, answered(arrived(value)))[-1]
    assert letter.value == value
    assert b"too large" not in dict(letter.headers)["daybook-reason"]


def test_a_record_without_a_value_arrives_without_one() -> None:
    assert arrived(None).value is None
