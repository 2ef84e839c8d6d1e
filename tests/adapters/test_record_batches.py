"""How a consumer handles record batches that decompress to far more than their size, on a real Kafka."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from daybook_contracts.topics import Topics
from daybook_infra.runtime.kafka import clients as kafka
from daybook_infra.runtime.kafka.decompression import MAX_DECOMPRESSED_BYTES
from daybook_infra.runtime.kafka.fair_fetching import PORTION_BYTES
from daybook_infra.runtime.kafka.lost_batch import LostBatch
from daybook_infra.runtime.settings import Settings
from support.bombs import MIB, RawBatch, bomb, send_raw

SMALL = bomb("zstd", 2, 10)
SETTINGS = {"partitions": 3}
BOMBS = {
    "zstd": bomb("zstd", 3, 400 * MIB),
    "gzip": bomb("gzip", 3, 200 * MIB),
    "lz4": bomb("lz4", 3, 200 * MIB),
    "snappy": bomb("snappy", 3, 24 * MIB),
}


@pytest_asyncio.fixture
async def reader(settings: Settings) -> AsyncIterator[AIOKafkaConsumer]:
    consumer = kafka.consumer(settings, "bombs", bulk=True)
    await consumer.start()
    yield consumer
    await consumer.stop()


async def put(settings: Settings, partition: int, *batches: RawBatch) -> TopicPartition:
    topic = Topics(settings.topic_prefix).audit_log
    await send_raw(settings.kafka_bootstrap, topic, partition, *batches)
    return TopicPartition(topic, partition)


async def read(
    reader: AIOKafkaConsumer, place: TopicPartition, start: int, end: int
) -> list[ConsumerRecord[bytes, bytes]]:
    reader.seek(place, start)
    found: list[ConsumerRecord[bytes, bytes]] = []
    async with asyncio.timeout(20):
        while await reader.position(place) < end:
            for records in (await reader.getmany(timeout_ms=200)).values():
                found += records
    return found


@pytest.mark.parametrize("bomb_of_codec", BOMBS.values(), ids=BOMBS.keys())
async def test_a_bomb_is_one_record_at_its_last_offset_wherever_reading_starts(
    settings: Settings, reader: AIOKafkaConsumer, bomb_of_codec: RawBatch
) -> None:
    place = await put(settings, 0, SMALL, bomb_of_codec, SMALL)
    reader.assign([place])
    for start, offsets in ((0, [0, 1, 4, 5, 6]), (2, [4, 5, 6]), (3, [4, 5, 6]), (5, [5, 6])):
        records = await read(reader, place, start, 7)
        assert [record.offset for record in records] == offsets
        for record in records:
            if record.offset == 4:
                assert isinstance(record.value, LostBatch)
                assert (record.value, record.value.first_offset, record.value.last_offset) == (b"", 2, 4)


async def test_a_batch_of_exactly_the_bound_is_read(settings: Settings, reader: AIOKafkaConsumer) -> None:
    frame = 13  # bytes that a record of this size needs in addition to its value
    place = await put(
        settings,
        0,
        bomb("zstd", 1, MAX_DECOMPRESSED_BYTES - frame),
        bomb("zstd", 1, MAX_DECOMPRESSED_BYTES - frame + 1),
    )
    reader.assign([place])
    whole, lost = await read(reader, place, 0, 2)
    assert whole.value is not None
    assert len(whole.value) == MAX_DECOMPRESSED_BYTES - frame
    assert isinstance(lost.value, LostBatch)


async def test_each_poll_returns_a_bounded_portion_and_partitions_take_turns(
    settings: Settings, reader: AIOKafkaConsumer
) -> None:
    places = [await put(settings, partition, *[bomb("zstd", 1, 30 * MIB)] * 6) for partition in range(3)]
    reader.assign(places)
    for place in places:
        reader.seek(place, 0)
    polled_partitions: list[int] = []
    async with asyncio.timeout(40):
        while len(polled_partitions) < 18:
            polled = await reader.getmany(timeout_ms=200)
            sizes = [len(record.value or b"") for records in polled.values() for record in records]
            assert sum(sizes) <= PORTION_BYTES + 30 * MIB
            polled_partitions += [place.partition for place in polled]
    assert max(polled_partitions.index(partition) for partition in range(3)) < 9
    assert [polled_partitions.count(partition) for partition in range(3)] == [6, 6, 6]
