"""The answer publisher of a shard: results are published uncompressed, so that any client can read them; everything
else is compressed.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer import fetcher
from msgspec.structs import replace

from daybook_client.kafka.replies import Replies
from daybook_command.kafka.answer_publisher import AnswerPublisher
from daybook_command.shard.effects import Answer, Forward, RefusedRecord, Reply
from daybook_command.shard.records import CommandRecord
from daybook_contracts.topics import Topics
from daybook_infra.runtime.errors import KafkaAway
from daybook_infra.runtime.kafka import clients as kafka
from daybook_infra.runtime.kafka.lenient_records import LenientRecords
from daybook_infra.runtime.kafka.options import connection_of
from daybook_infra.runtime.settings import Settings

NO_SERVER = "127.0.0.1:1"
UNCOMPRESSED, ZSTD = 0, 4
COUNT = 50
Stored = tuple[set[int], list[bytes | None]]
"""The codecs of the topic's record batches, and the values of its records."""


@asynccontextmanager
async def answer_publisher(settings: Settings) -> AsyncIterator[AnswerPublisher]:
    topics = Topics(settings.topic_prefix)
    publisher = AnswerPublisher(
        settings, topics, Replies(connection_of(settings), topics.results, "test", partitions=settings.partitions)
    )
    try:
        yield publisher
    finally:
        await publisher.stop()


async def stored(settings: Settings, topic: str, monkeypatch: pytest.MonkeyPatch) -> Stored:
    """The codecs and values of all records in the only partition of the topic."""
    codecs: set[int] = set()

    class Observed(LenientRecords):
        def next_batch(self) -> Any:
            batch = super().next_batch()
            codecs.update([] if batch is None else [batch.compression_type])
            return batch

    place = TopicPartition(settings.topic_prefix + topic, 0)
    # Creating a consumer replaces aiokafka's batch reader, so the test must replace it after that.
    reader = kafka.consumer(settings, "test")
    monkeypatch.setattr("daybook_infra.runtime.kafka.lenient_records.LenientRecords", Observed)
    monkeypatch.setattr(fetcher, "MemoryRecords", Observed)
    await reader.start()
    try:
        reader.assign([place])
        end = (await reader.end_offsets([place]))[place]
        values: list[bytes | None] = []
        async with asyncio.timeout(20):
            while len(values) < end:
                for records in (await reader.getmany(timeout_ms=500)).values():
                    values += [record.value for record in records]
    finally:
        await reader.stop()
    return codecs, values


def value(number: int) -> bytes:
    """A value that any codec can compress."""
    return json.dumps({"number": number, "x": "y" * 1_000}).encode()


def answer(count: int = COUNT) -> Answer:
    """An answer with `count` replies, as many forwarded commands, and as many refused records."""
    records = [CommandRecord(number, b"key", value(number), (), 0) for number in range(count)]
    return Answer(
        replies=tuple(Reply(str(number), value(number), b"c", 0, None) for number in range(count)),
        forwards=tuple(Forward(0, record) for record in records),
        refused=tuple(RefusedRecord(record, 0, "INVALID_COMMAND: x", keep_value=True) for record in records),
        next_offset=count,
    )


async def test_results_are_uncompressed_and_everything_else_is_compressed(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with answer_publisher(settings) as publisher:
        await publisher.publish(0, answer())
    published = {topic: await stored(settings, topic, monkeypatch) for topic in ("results", "commands", "commands.dlq")}
    assert {topic: codecs for topic, (codecs, _) in published.items()} == {
        "results": {UNCOMPRESSED},
        "commands": {ZSTD},
        "commands.dlq": {ZSTD},
    }
    in_order: list[bytes | None] = [value(number) for number in range(COUNT)]
    assert all(values == in_order for _, values in published.values())


async def test_a_too_large_result_does_not_block_the_others(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    too_large = Reply("x", b"x" * 6_000_000, b"c", 0, None)
    small = answer(3)
    async with answer_publisher(settings) as publisher:
        await publisher.publish(0, replace(small, replies=(too_large, *small.replies)))
        await publisher.publish(0, replace(small, forwards=(), refused=()))
    in_order = [value(number) for number in range(3)]
    assert (await stored(settings, "results", monkeypatch))[1] == in_order * 2
    assert (await stored(settings, "commands.dlq", monkeypatch))[1] == in_order


@pytest.mark.parametrize(
    "sent", [replace(answer(1), forwards=(), refused=()), replace(answer(1), replies=())], ids=["replies", "the rest"]
)
async def test_publishing_without_kafka_is_an_outage(settings: Settings, sent: Answer) -> None:
    async with answer_publisher(settings.model_copy(update={"kafka_bootstrap": NO_SERVER})) as publisher:
        with pytest.raises(KafkaAway):
            await publisher.publish(0, sent)


async def test_a_stopped_publisher_leaves_no_running_task(settings: Settings) -> None:
    before = asyncio.all_tasks()
    async with answer_publisher(settings) as publisher:
        await publisher.publish(0, answer(1))
        assert asyncio.all_tasks() > before
    assert asyncio.all_tasks() == before
