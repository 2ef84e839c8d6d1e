"""Records that a broken or hostile sender may publish to the commands topic. None of them stops its partition."""

import json
import random

import pytest
from aiokafka import AIOKafkaProducer

from daybook_contracts.limits import READ_HEADERS, RECORD_HEADERS
from support.deadletters import dead_letter
from support.driving import eventually, fresh_id, over_kafka
from support.malformed import INVALID
from support.odd_headers import NotUtf8, slow_builder
from support.publisher import Headers, Publisher
from support.replay import by_command, entries_of, read_log
from support.workload import registration_in

PARTITION = 4
MIB = 1024 * 1024
# Random bytes, so that compression does not make the records small.
HUGE = random.Random(1).randbytes(2 * MIB)
LARGEST = random.Random(2).randbytes(4 * MIB - 1024)
REPLY = [("reply-partition", b"1"), ("correlation-id", b"unread")]
# A record with this header just fits into its topic, but the record's answer and forwarded copy do not fit into theirs.
ALMOST = random.Random(3).randbytes(4 * MIB - 600)
VALUE_LEFT_OUT = "(the record is too large to be kept here: it is at its origin alone)"
ODD_HEADERS = {
    "no principal": ("daybook-principal", None),
    "no reply partition": ("reply-partition", None),
    "no correlation id": ("correlation-id", None),
    "no traceparent": ("traceparent", None),
    "a binary correlation id": ("correlation-id", b"\x00\xff\xfe"),
    "a huge correlation id": ("correlation-id", HUGE),
    "a correlation id as large as the topic takes": ("correlation-id", LARGEST),
    "a correlation id that leaves no room for an answer": ("correlation-id", ALMOST),
    "a huge reply partition": ("reply-partition", b"9" * 10_000),
    "a reply partition in other digits": ("reply-partition", "٣".encode()),
    "a binary traceparent": ("traceparent", b"\xff\x00"),
    "a huge traceparent": ("traceparent", HUGE),
    "a traceparent as large as the topic takes": ("traceparent", LARGEST),
    "a header of its own that is huge": ("x-own", HUGE),
    "a header of its own without a value": ("x-own", None),
}


async def check_partition_continues(publisher: Publisher) -> None:
    assert (await over_kafka(publisher, 20)(registration_in(PARTITION, publisher.settings.partitions)))["status"] == 200


@pytest.mark.parametrize("header", ODD_HEADERS.values(), ids=ODD_HEADERS.keys())
async def test_a_command_with_an_odd_header_is_decided(publisher: Publisher, header: tuple[str, bytes | None]) -> None:
    send = registration_in(PARTITION, publisher.settings.partitions)
    await publisher.publish_raw(send.key, send.body, [*REPLY, header])
    await check_partition_continues(publisher)
    entries_by_command = by_command(entries_of(await read_log(publisher.settings)))
    assert len(entries_by_command[PARTITION, send.command["id"]]) == 1


async def test_a_command_with_too_many_headers_becomes_a_dead_letter(publisher: Publisher) -> None:
    send = registration_in(PARTITION, publisher.settings.partitions)
    headers = [(f"x-{number}", b"v") for number in range(READ_HEADERS)]
    partition, offset = await publisher.publish_raw(send.key, send.body, [*headers, ("x", b"v")])
    letter = await dead_letter(publisher.settings, partition, offset)
    assert (letter.key, letter.value) == (send.key.encode(), send.body)
    assert letter.reason == f"{INVALID}: the record has more than 100 headers, and none of them was read"
    assert set(letter.headers) == {"daybook-reason", "daybook-origin"}
    await publisher.publish_raw(send.key, send.body, headers)
    await check_partition_continues(publisher)
    entries_by_command = by_command(entries_of(await read_log(publisher.settings)))
    assert len(entries_by_command[PARTITION, send.command["id"]]) == 1


async def test_a_command_in_a_wrong_partition_may_have_as_many_headers_as_any(publisher: Publisher) -> None:
    send = registration_in(PARTITION, publisher.settings.partitions)
    headers = [(f"x-{number}", b"v") for number in range(RECORD_HEADERS)]
    wrong = (PARTITION + 1) % publisher.settings.partitions
    await publisher.publish_raw(send.key, send.body, headers, partition=wrong)

    async def is_decided() -> bool:
        return (PARTITION, send.command["id"]) in by_command(entries_of(await read_log(publisher.settings)))

    await eventually(is_decided)


async def test_a_header_name_need_not_be_utf_8(publisher: Publisher, monkeypatch: pytest.MonkeyPatch) -> None:
    send = registration_in(PARTITION, publisher.settings.partitions)
    with slow_builder(monkeypatch):
        await publisher.publish_raw(send.key, send.body, [*REPLY, (NotUtf8("xx"), b"v")], partition=PARTITION)
        partition, offset = await publisher.publish_raw("some key", b"[]", [(NotUtf8("xx"), b"v")], partition=PARTITION)
    assert (await dead_letter(publisher.settings, partition, offset)).value == b"[]"
    await check_partition_continues(publisher)
    entries_by_command = by_command(entries_of(await read_log(publisher.settings)))
    assert len(entries_by_command[PARTITION, send.command["id"]]) == 1


@pytest.mark.parametrize("key", ["some key", None])
async def test_a_record_without_a_value_becomes_a_dead_letter(publisher: Publisher, key: str | None) -> None:
    partition, offset = await publisher.publish_raw(key, None, [], partition=PARTITION)
    letter = await dead_letter(publisher.settings, partition, offset)
    assert letter.reason.startswith(f"{INVALID}: ")
    assert not letter.value
    await check_partition_continues(publisher)


@pytest.mark.parametrize(
    "value",
    [LARGEST, b'{"id":"' + HUGE.hex()[: 3 * MIB].encode() + b'"}', b"[" * len(LARGEST)],
    ids=["noise", "a string", "brackets"],
)
async def test_the_largest_records_become_dead_letters_without_values(publisher: Publisher, value: bytes) -> None:
    partition, offset = await publisher.publish_raw("some key", value, REPLY, partition=PARTITION)
    letter = await dead_letter(publisher.settings, partition, offset)
    assert not letter.value
    assert letter.reason.startswith(f"{INVALID}: ")
    assert letter.reason.endswith(VALUE_LEFT_OUT)
    await check_partition_continues(publisher)


async def test_a_secret_at_the_end_of_a_huge_path_gets_a_dead_letter_with_a_short_reason(publisher: Publisher) -> None:
    value = json.dumps({"id": fresh_id(), "data": {"config": {"x" * 2 * MIB: {"password": "hunter2"}}}}).encode()
    partition, offset = await publisher.publish_raw("some key", value, REPLY, partition=PARTITION)
    letter = await dead_letter(publisher.settings, partition, offset)
    assert letter.reason.startswith(f"{INVALID}: ")
    assert "xx" not in letter.reason
    assert not letter.value
    await check_partition_continues(publisher)


@pytest.mark.parametrize("name", ["daybook-reason", "daybook-origin"])
async def test_a_forged_reason_or_origin_is_replaced_in_the_dead_letter(publisher: Publisher, name: str) -> None:
    partition, offset = await publisher.publish_raw("some key", b"{}", [(name, b"claimed")], partition=PARTITION)
    letter = await dead_letter(publisher.settings, partition, offset)
    assert letter.reason.startswith(f"{INVALID}: ")


async def test_a_command_that_is_too_large_to_be_forwarded_becomes_a_dead_letter(publisher: Publisher) -> None:
    send = registration_in(PARTITION, publisher.settings.partitions)
    room = 4 * MIB - 61 - len(send.body) - len(send.key) - 60  # 61 and 60 bytes: frames of the batch and the record
    header = ("x-own", random.Random(4).randbytes(room))
    partition, offset = await publisher.publish_raw(send.key, send.body, [header], partition=PARTITION + 1)
    letter = await dead_letter(publisher.settings, partition, offset)
    assert letter.value == send.body
    assert "too large to be forwarded" in letter.reason
    await check_partition_continues(publisher)


async def test_a_record_that_decompresses_beyond_the_limit_of_the_topic_becomes_a_dead_letter(
    publisher: Publisher,
) -> None:
    partition, offset = await publish_compressed(publisher, b"x" * 20 * MIB, [])
    letter = await dead_letter(publisher.settings, partition, offset)
    assert letter.reason.startswith(f"{INVALID}: ")
    assert letter.reason.endswith(VALUE_LEFT_OUT)
    assert not letter.value
    await check_partition_continues(publisher)


async def test_a_command_whose_correlation_id_decompresses_to_20_mib_is_decided(publisher: Publisher) -> None:
    send = registration_in(PARTITION, publisher.settings.partitions)
    await publish_compressed(publisher, send.body, [("reply-partition", b"1"), ("correlation-id", b"c" * 20 * MIB)])
    await check_partition_continues(publisher)
    entries_by_command = by_command(entries_of(await read_log(publisher.settings)))
    assert len(entries_by_command[PARTITION, send.command["id"]]) == 1


async def publish_compressed(publisher: Publisher, value: bytes, headers: Headers) -> tuple[int, int]:
    """Publishes a record that is compressed to a small size in the topic; returns its partition and offset."""
    producer = AIOKafkaProducer(
        bootstrap_servers=publisher.settings.kafka_bootstrap, max_request_size=64 * MIB, compression_type="zstd"
    )
    await producer.start()
    try:
        sent = await producer.send_and_wait(publisher.commands, value, partition=PARTITION, headers=list(headers))
    finally:
        await producer.stop()
    return sent.partition, sent.offset
