"""Follows the log live: places to start from in; pages of new entries, as they are admitted, out. Skips void records,
waits during outages, and never yields an entry twice.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Mapping
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from typing import Final

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from daybook_contracts.log.admission import Admitted, VoidReason, admit
from daybook_contracts.log.continuity import LogChanged, check_bounds, check_voids
from daybook_contracts.log.head import Head
from daybook_contracts.topics import Topics
from daybook_infra.runtime.errors import KafkaAway
from daybook_infra.runtime.kafka.clients import close_quietly, consumer, start
from daybook_infra.runtime.kafka.lost_batch import offsets_of
from daybook_infra.runtime.kafka.outages import translated
from daybook_infra.runtime.settings import Settings

ANSWER_SECONDS: Final = 30.0
PAUSE_SECONDS: Final = 1.0
POLL_MS: Final = 200
PAGE_RECORDS: Final = 1_000

Page = list[Admitted]


@dataclass(slots=True)
class LogReading:
    """How far a partition has been read. Entries up to `shown_position`, and those at offsets below `shown_offset`, are
    read but not yielded.
    """

    head: Head
    next_offset: int
    shown_position: int = -1
    shown_offset: int = 0
    voids: int = 0

    def take(self, partition: int, record: ConsumerRecord[bytes, bytes]) -> Admitted | None:
        """The entry, if it is to be yielded. Raises `LogChanged`."""
        self.next_offset = record.offset + 1
        admitted = admit(self.head, partition, record.value)
        if isinstance(admitted, VoidReason):
            self.voids += offsets_of(record.value)
            check_voids(self.voids)
            return None
        self.head, self.voids = admitted.head, 0
        is_new = self.head.position > self.shown_position and record.offset >= self.shown_offset
        return admitted if is_new else None


async def follow(
    settings: Settings, places: Mapping[int, LogReading], note_outage: Callable[[KafkaAway], object]
) -> AsyncGenerator[dict[int, Page]]:
    """Yields the new entries of each partition in order, or no entries while there are none. Updates `places`. Never
    ends. Raises `LogChanged` if entries that were read are gone.
    """
    while True:
        try:
            async with aclosing(_follow_once(settings, places)) as pages:
                async for page in pages:
                    yield page
        except KafkaAway as away:
            note_outage(away)
            yield {}
            await asyncio.sleep(PAUSE_SECONDS)


async def _follow_once(settings: Settings, places: Mapping[int, LogReading]) -> AsyncGenerator[dict[int, Page]]:
    """Follows the log until Kafka fails."""
    topic = Topics(settings.topic_prefix).audit_log
    sources = {TopicPartition(topic, partition): place for partition, place in places.items()}
    reader = consumer(settings, "daybook-audit", reset="none")
    try:
        async with translated(settings, seconds=ANSWER_SECONDS):
            await start(reader)
            await _check_ends(reader, sources)
        reader.assign(list(sources))
        for source, place in sources.items():
            reader.seek(source, place.next_offset)
        while True:
            async with translated(settings, f"{topic} cannot be read", seconds=ANSWER_SECONDS):
                fetched = await reader.getmany(timeout_ms=POLL_MS, max_records=PAGE_RECORDS)
            yield {source.partition: _taken(sources[source], source, records) for source, records in fetched.items()}
    finally:
        await close_quietly(reader)


async def _check_ends(reader: AIOKafkaConsumer, sources: Mapping[TopicPartition, LogReading]) -> None:
    firsts = await reader.beginning_offsets(list(sources))
    ends = await reader.end_offsets(list(sources))
    for source, place in sources.items():
        with naming(source.partition):
            check_bounds(place.next_offset, firsts[source], ends[source])


def _taken(place: LogReading, source: TopicPartition, records: Iterable[ConsumerRecord[bytes, bytes]]) -> Page:
    with naming(source.partition):
        taken = [place.take(source.partition, record) for record in records]
    return [admitted for admitted in taken if admitted is not None]


@contextmanager
def naming(partition: int) -> Iterator[None]:
    """Adds the partition to the message of a `LogChanged`."""
    try:
        yield
    except LogChanged as changed:
        raise LogChanged(f"partition {partition}: {changed}") from changed
