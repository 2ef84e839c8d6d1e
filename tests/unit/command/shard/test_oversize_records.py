"""A record that is too large for a command is refused. Only its command id is read, and its value is not kept."""

import json
from uuid import UUID

import pytest
from aiokafka import ConsumerRecord

from daybook_command.kafka.answer_records import records_of
from daybook_command.kafka.command_subscriber import command_record
from daybook_command.shard.arrivals import size_of
from daybook_command.shard.effects import Answer
from daybook_command.shard.records import CommandRecord, Headers
from daybook_contracts.limits import DEAD_LETTER_BYTES, ENVELOPE_BYTES
from daybook_contracts.topics import Topics
from daybook_infra.runtime.kafka.bare_records import UNREAD_HEADERS
from support.one_shard import arrive, loaded_snapshot, only_effect, ready_shard

TOPICS = Topics("daybook.")
ID = str(UUID(int=0xC0, version=4))
BEGINNING = b'{"id": "' + ID.encode() + b'", "x": "'
MIB = 1024 * 1024
REPLY = (("reply-partition", b"0"), ("correlation-id", b"c"))


def arrived(value: bytes | None, key: bytes = b"k", headers: Headers = REPLY) -> CommandRecord:
    record: ConsumerRecord[bytes, bytes] = ConsumerRecord(
        topic="daybook.commands",
        partition=0,
        offset=7,
        timestamp=0,
        timestamp_type=0,
        key=key,
        value=value,
        checksum=None,
        serialized_key_size=1,
        serialized_value_size=0,
        headers=headers,
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


def test_a_key_or_a_header_that_fits_into_no_answer_is_left_out() -> None:
    long = "n" * DEAD_LETTER_BYTES
    record = arrived(b"[]", key=long.encode() + b"k", headers=((long, b"v"), (long[1:], b"v"), ("v", long.encode())))
    assert record.key is None
    assert [name for name, _ in record.headers] == [long[1:]]


def test_the_size_of_a_record_counts_an_unusual_key_and_unusual_headers() -> None:
    assert size_of(CommandRecord(7, b"key", b"value", (("name", b"text"),) * 20, 0)) == 5 + 20 * 4
    assert size_of(CommandRecord(7, b"k" * 1_000_000, b"value", (), 0)) > 990_000
    assert size_of(CommandRecord(7, None, None, (("n" * 1_000_000, b""),), 0)) > 990_000
    assert size_of(CommandRecord(7, None, None, (("", b""),) * 100, 0)) > 10_000


def test_a_record_whose_headers_were_not_read_becomes_a_dead_letter_with_its_value() -> None:
    value = b'{"id": "' + ID.encode() + b'"}'
    (letter,) = records_of(TOPICS, 0, answered(arrived(value, headers=UNREAD_HEADERS)))
    assert (letter.topic, letter.key, letter.value) == ("daybook.commands.dlq", b"k", value)
    assert dict(letter.headers)["daybook-reason"] == (
        b"INVALID_COMMAND: the record has more than 100 headers, and none of them was read"
    )


@pytest.mark.parametrize(("length", "returned"), [(1024, True), (1025, False)])
def test_a_correlation_id_of_more_than_1_kib_is_not_returned(length: int, *, returned: bool) -> None:
    sent = b"c" * length
    reply = answered(CommandRecord(7, b"k", b"[]", (("reply-partition", b"0"), ("correlation-id", sent)), 0)).replies[0]
    assert reply.correlation_id == (sent if returned else None)


def test_a_record_without_a_value_arrives_without_one() -> None:
    assert arrived(None).value is None
