"""The pause between a consumer's fetches, on a real Kafka, with a clock that the test moves."""

import asyncio
import time
from collections.abc import Callable

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition

from daybook_contracts.topics import Topics
from daybook_infra.runtime.kafka import clients as kafka
from daybook_infra.runtime.kafka.paced_fetching import METADATA_PAUSE_SECONDS, Pace, pace_fetches
from daybook_infra.runtime.settings import Settings

SETTINGS = {"partitions": 2}
WAIT_MS = 30_000


class Clock:
    at = 100.0

    def now(self) -> float:
        return self.at


async def test_records_that_arrive_during_a_pause_are_fetched_together_at_its_end(settings: Settings) -> None:
    topic, clock = Topics(settings.topic_prefix).audit_log, Clock()
    places = [TopicPartition(topic, partition) for partition in range(2)]
    async with (
        AIOKafkaProducer(bootstrap_servers=settings.kafka_bootstrap) as producer,
        kafka.consumer(settings, "paced", bulk=True) as consumer,
    ):
        pace_fetches(consumer, Pace(8, clock.now))
        consumer.assign(places)
        for turn in range(2):
            await producer.send_and_wait(topic, b"first", partition=0)
            assert list(await consumer.getmany(timeout_ms=WAIT_MS)) == places[:1]
            for partition in range(2):
                await producer.send_and_wait(topic, b"later", partition=partition)
            clock.at += 7
            assert await consumer.getmany(timeout_ms=300) == {}
            clock.at += 1
            found = await consumer.getmany(timeout_ms=WAIT_MS)
            assert {place: [each.value for each in records] for place, records in found.items()} == {
                place: [b"later"] for place in places
            }, f"turn {turn}"
            clock.at += 8


async def test_the_pause_grows_with_the_records_that_arrive(settings: Settings) -> None:
    topic, clock = Topics(settings.topic_prefix).audit_log, Clock()
    pace = Pace(8, clock.now, longest=80, dense=2)
    async with (
        AIOKafkaProducer(bootstrap_servers=settings.kafka_bootstrap) as producer,
        kafka.consumer(settings, "paced", bulk=True) as consumer,
    ):
        for _ in range(8):
            await producer.send_and_wait(topic, b"entry", partition=0)
        pace_fetches(consumer, pace)
        consumer.assign([TopicPartition(topic, 0)])
        taken = 0
        while taken < 8:
            taken += sum(map(len, (await consumer.getmany(timeout_ms=WAIT_MS)).values()))
        assert pace.rest() == 8
        clock.at += 8
        await producer.send_and_wait(topic, b"entry", partition=0)
        assert await consumer.getmany(timeout_ms=WAIT_MS)
        assert pace.rest() == 40, "8 records in 8 s: half the rate at which a pause lasts 80 s"


async def test_metadata_is_not_requested_continuously_while_a_partition_has_no_leader(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests = 0
    async with kafka.consumer(settings, "paced", bulk=True) as consumer:
        ask: Callable[[], asyncio.Future[bool]] = consumer._client.force_metadata_update

        def counted() -> asyncio.Future[bool]:
            nonlocal requests
            requests += 1
            return ask()

        monkeypatch.setattr(consumer._client, "force_metadata_update", counted)
        consumer.assign([TopicPartition(Topics(settings.topic_prefix).audit_log, 99)])
        began = time.monotonic()
        assert await consumer.getmany(timeout_ms=1_000) == {}
        assert 2 <= requests <= 2 + (time.monotonic() - began) / METADATA_PAUSE_SECONDS
