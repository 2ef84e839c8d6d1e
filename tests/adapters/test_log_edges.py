"""Appending to and reading from the real log: the results that the shard gets."""

import asyncio
from collections.abc import AsyncIterator
from random import Random

import pytest
from aiokafka import AIOKafkaProducer

from chaos.proxy import LOOPBACK, NORMAL, Behaviour, Proxy
from daybook_command.kafka.log_reader import SLICE_RECORDS, LogReader
from daybook_command.kafka.log_writer import LogWriter
from daybook_command.shard.effects import Append, LogAppend
from daybook_command.shard.events import Acknowledged, AppendRefused, AppendUnknown, GapRead
from daybook_command.shard.records import LogRecord
from daybook_contracts.entries.reading import read_entry
from daybook_contracts.topics import Topics
from daybook_infra.runtime.kafka.entry_batches import MAX_BATCH_BYTES
from daybook_infra.runtime.settings import Settings
from daybook_infra.stack.interface import Servers
from suites.log import Log, LogContract
from support.driving import eventually
from support.entry_samples import samples
from support.odd_headers import NotUtf8, slow_builder

SETTINGS = {"partitions": 2}
ENTRY = read_entry(samples()["RENAME_ORG.v1.json"].value)
"""The entry from which the records of these tests take their keys and headers."""


@pytest.fixture
async def writers(settings: Settings) -> AsyncIterator[tuple[LogWriter, LogWriter]]:
    topic = Topics(settings.topic_prefix).audit_log
    pair = LogWriter(settings, topic), LogWriter(settings, topic)
    yield pair
    for writer in pair:
        await writer.stop()


def batch(*values: bytes) -> Append:
    return Append(tuple(LogAppend(ENTRY, value, None) for value in values))


class KafkaLog(Log):
    def __init__(self, writers: tuple[LogWriter, LogWriter], reader: LogReader) -> None:
        self._writers, self._reader = writers, reader

    async def append(
        self, partition: int, *values: bytes, writer: int = 0
    ) -> Acknowledged | AppendUnknown | AppendRefused:
        return await self._writers[writer].append(partition, batch(*values))

    async def read(self, partition: int, start: int, stop: int | None = None) -> list[LogRecord]:
        first, end = await self._reader.read_bounds(partition)
        assert first == 0
        assert end >= start
        return list((await self._reader.read_range(partition, start, end if stop is None else stop)).records)


class TestKafkaLog(LogContract):
    @pytest.fixture
    def log(self, writers: tuple[LogWriter, LogWriter], reader: LogReader) -> Log:
        return KafkaLog(writers, reader)


async def test_a_batch_that_kafka_refuses_does_not_affect_the_next_one(writers: tuple[LogWriter, LogWriter]) -> None:
    one, _ = writers
    # The first record fills the batch, so the second does not fit.
    assert isinstance(await one.append(0, batch(b"x" * (MAX_BATCH_BYTES + 1), b"y")), AppendRefused)
    assert await one.append(0, batch(b"z")) == Acknowledged(0)


async def test_a_missing_acknowledgement_is_a_fault_until_there_is_one(
    settings: Settings, stack: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daybook_command.kafka.log_writer.APPEND_SECONDS", 2.0)
    proxy = Proxy(Random(1), target=int(stack.kafka_bootstrap.rpartition(":")[2]))
    await proxy.start()
    proxied = settings.model_copy(update={"kafka_bootstrap": f"{LOOPBACK}:{proxy.port}"})
    writer = LogWriter(proxied, Topics(settings.topic_prefix).audit_log)
    try:
        proxy.behave(Behaviour(refused=True))
        assert await writer.append(1, batch(b"a")) == AppendUnknown()
        assert (writer.fault or "").startswith("Kafka does not acknowledge entries of partitions 1: ")
        proxy.behave(NORMAL)
        monkeypatch.setattr("daybook_command.kafka.log_writer.APPEND_SECONDS", 30.0)
        assert await writer.append(1, batch(b"a")) == Acknowledged(0)
        assert writer.fault is None
    finally:
        await writer.stop()
        await proxy.stop()


async def test_offsets_without_a_record_do_not_stall_a_reader(settings: Settings, reader: LogReader) -> None:
    topic = Topics(settings.topic_prefix).audit_log
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka_bootstrap, transactional_id="foreign")
    await producer.start()
    try:
        async with producer.transaction():
            await producer.send_and_wait(topic, b"foreign", partition=0)
    finally:
        await producer.stop()
    await eventually(lambda: marker_is_written(reader))
    assert await reader.read_range(0, 0, 2) == GapRead([LogRecord(0, b"foreign")])


async def test_slices_follow_one_another_even_if_another_partition_is_read_in_between(
    writers: tuple[LogWriter, LogWriter], reader: LogReader
) -> None:
    values = [b"%d" % number for number in range(3 * SLICE_RECORDS + 1)]
    for partition in (0, 1):
        await writers[0].append(partition, batch(*values))
    found: list[LogRecord] = []
    start = 0
    while start < len(values):
        read = await reader.read_slice(0, start, len(values))
        assert 0 < len(read.records) <= SLICE_RECORDS
        found += read.records
        start = read.next_offset
        assert await reader.read_range(1, 5, 7) == GapRead([LogRecord(5, b"5"), LogRecord(6, b"6")])
    assert found == [LogRecord(offset, value) for offset, value in enumerate(values)]


async def test_the_bounds_of_a_partition_do_not_wait_for_a_partition_without_a_leader(reader: LogReader) -> None:
    waiting = asyncio.create_task(reader.read_bounds(99))
    await asyncio.sleep(0)
    assert await reader.read_bounds(0) == (0, 0)
    assert not waiting.done()
    waiting.cancel()
    await asyncio.wait({waiting})


async def marker_is_written(reader: LogReader) -> bool:
    """The broker writes the marker of a transaction only after it has answered the producer."""
    return (await reader.read_ends())[0] == 2


async def test_a_header_name_that_is_not_utf_8_does_not_hide_the_value(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Not the log topic: a broker that recompresses a batch repairs the names.
    topic = Topics(settings.topic_prefix).commands
    reader = LogReader(settings, topic)
    with slow_builder(monkeypatch):
        async with AIOKafkaProducer(bootstrap_servers=settings.kafka_bootstrap) as producer:
            for value in (b"a", b"b"):
                batch = producer.create_batch()
                batch.append(key=None, value=value, timestamp=None, headers=[])
                batch.append(key=None, value=value * 2, timestamp=None, headers=[(NotUtf8("xx"), b"v")])
                batch.append(key=None, value=value * 3, timestamp=None, headers=[])
                await (await producer.send_batch(batch, topic, partition=0))
    try:
        records = (await reader.read_range(0, 0, 6)).records
    finally:
        await reader.stop()
    assert [record.value for record in records] == [b"a", b"aa", b"aaa", b"b", b"bb", b"bbb"]
