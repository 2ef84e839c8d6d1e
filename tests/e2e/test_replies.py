"""Every refused record that asks for a reply gets one, and any Kafka client can read it."""

import asyncio
import json
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.consumer import fetcher

from daybook_infra.runtime.kafka import clients as kafka
from daybook_infra.runtime.kafka.lenient_records import LenientRecords
from daybook_infra.runtime.kafka.options import connection_options
from support.driving import fresh_id
from support.malformed import CASES, INVALID, Case
from support.publisher import Publisher
from support.workload import by_user, registration_in

PARTITION = 2
UNCOMPRESSED = 0
Record = ConsumerRecord[bytes, bytes]


async def reply_to(publisher: Publisher, value: bytes | None, *headers: tuple[str, bytes]) -> Record:
    """Publishes a record to the commands topic; returns the reply to it."""
    correlation = uuid4().hex.encode()
    place = TopicPartition(publisher.settings.topic_prefix + "results", 0)
    reader = kafka.consumer(publisher.settings, "replies-test")
    await reader.start()
    try:
        reader.assign([place])
        await reader.seek_to_end(place)
        await reader.position(place)
        reply_headers = [("reply-partition", b"0"), ("correlation-id", correlation)]
        await publisher.publish_raw("some key", value, [*reply_headers, *headers], partition=PARTITION)
        async with asyncio.timeout(20):
            return await find_reply(reader, correlation)
    finally:
        await reader.stop()


async def find_reply(reader: AIOKafkaConsumer, correlation: bytes) -> Record:
    while True:
        for records in (await reader.getmany(timeout_ms=500)).values():
            for record in records:
                if dict(record.headers)["correlation-id"] == correlation:
                    return record


def check_key(record: Record, answer: dict[str, Any]) -> None:
    """Asserts that the reply's key is the id of the command, or empty if the command has no readable id."""
    assert record.key == (answer["command_id"] or "").encode()
    assert dict(record.headers)["ce_id"]


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
async def test_every_malformed_command_is_answered_by_its_correlation_id(publisher: Publisher, case: Case) -> None:
    record = await reply_to(publisher, case.body)
    answer = json.loads(record.value or b"")
    assert (answer["code"], answer["result"]) == (case.code, "failure")
    assert "hunter2" not in str(record.value)
    check_key(record, answer)


@pytest.mark.parametrize(
    "value", [None, b"", b"\xff", b"[]", b'{"id":7}', b'{"id":"x"}', b"{" * 300_000, b"x" * 3_000_000], ids=range(8)
)
async def test_without_a_readable_id_the_reply_has_neither_an_id_nor_a_key(
    publisher: Publisher, value: bytes | None
) -> None:
    record = await reply_to(publisher, value)
    answer = json.loads(record.value or b"")
    assert (answer["code"], answer["command_id"], record.key) == (INVALID, None, b"")


@pytest.mark.parametrize("principal", [b"service:daybook", b"user:ada", b"\xff", b""])
async def test_a_record_with_an_invalid_principal_is_answered(publisher: Publisher, principal: bytes) -> None:
    send = registration_in(PARTITION, publisher.settings.partitions)
    record = await reply_to(publisher, send.body, ("daybook-principal", principal))
    answer = json.loads(record.value or b"")
    assert (answer["code"], answer["command_id"]) == (INVALID, send.command["id"])
    check_key(record, answer)


async def test_replies_are_not_compressed(publisher: Publisher, monkeypatch: pytest.MonkeyPatch) -> None:
    codecs: list[int] = []

    class Observed(LenientRecords):
        def next_batch(self) -> Any:
            batch = super().next_batch()
            codecs.extend([] if batch is None else [batch.compression_type])
            return batch

    # The first call installs a batch reader. Called now, so that it does not replace the observed reader later.
    connection_options(publisher.settings, "test")
    monkeypatch.setattr("daybook_infra.runtime.kafka.lenient_records.LenientRecords", Observed)
    monkeypatch.setattr(fetcher, "MemoryRecords", Observed)
    rename = by_user("RENAME_ORG", fresh_id(), fresh_id(), fresh_id(), name="y" * 150)
    for body in (registration_in(PARTITION, publisher.settings.partitions).body, rename.body, b"[]"):
        await reply_to(publisher, body)
    assert codecs
    assert set(codecs) == {UNCOMPRESSED}
