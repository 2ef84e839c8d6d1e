"""Reads the log from its topic. Joins no group and commits nothing, so no other client is affected."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import TopicAuthorizationFailedError

from daybook_client.kafka.refusals import is_hidden
from daybook_contracts.log.admission import VoidReason, admit
from daybook_contracts.log.head import Head
from daybook_contracts.topics import Topics
from daybook_infra.runtime.errors import DaybookError, KafkaAway
from daybook_infra.runtime.kafka.clients import close_quietly, consumer, start
from daybook_infra.runtime.kafka.options import connection_of
from daybook_infra.runtime.kafka.outages import translated
from daybook_infra.runtime.settings import Settings
from daybook_projector.audit.log.place import SourceRecord

ANSWER_SECONDS = 30.0
POLL_MS = 200
PAGE_RECORDS = 1_000

Records = Sequence[ConsumerRecord[bytes, bytes]]


class LogBroken(DaybookError):
    """The log cannot be read as one chain of entries. `daybook audit verify` shows why."""


class TopicLog:
    """Reads one partition at a time. Every method raises `KafkaAway`."""

    def __init__(self, settings: Settings, consumer: AIOKafkaConsumer) -> None:
        self._settings = settings
        self._consumer = consumer
        self.is_there = False
        self.topic = Topics(settings.topic_prefix).audit_log

    async def look(self) -> None:
        """Finds out whether the topic exists. Raises `KafkaRefuses` if this client may not see it."""
        async with translated(self._settings, f"{self.topic} cannot be found", seconds=ANSWER_SECONDS):
            self.is_there = self.topic in await self._consumer.topics()
            if not self.is_there and await is_hidden(connection_of(self._settings), self.topic):
                raise TopicAuthorizationFailedError(self.topic)

    async def require_partitions(self) -> None:
        """Raises `LogBroken` if the topic has another number of partitions than the settings say."""
        if not self.is_there:
            return
        await self.bounds(0)  # after that, the consumer knows the topic's partitions
        partitions = self._consumer.partitions_for_topic(self.topic) or set()
        if len(partitions) != self._settings.partitions:
            raise LogBroken(
                f"{self.topic} has {len(partitions)} partitions, and DAYBOOK_PARTITIONS is "
                f"{self._settings.partitions}: set DAYBOOK_PARTITIONS to the number that the log was made with"
            )

    async def bounds(self, partition: int) -> tuple[int, int]:
        """The first offset, and the one after the last record; zeros if there is no such topic."""
        if not self.is_there:
            return 0, 0
        place = TopicPartition(self.topic, partition)
        async with translated(self._settings, f"{self.topic} cannot be read", seconds=ANSWER_SECONDS):
            starts = await self._consumer.beginning_offsets([place])
            ends = await self._consumer.end_offsets([place])
        return starts[place], ends[place]

    async def records(self, partition: int, start: int, end: int) -> AsyncIterator[Records]:
        """All records of [start, end), voids included, in pages."""
        place = TopicPartition(self.topic, partition)
        if start >= end:
            return
        self._consumer.assign([place])
        self._consumer.seek(place, start)
        position, stalled_at = start, asyncio.get_running_loop().time() + ANSWER_SECONDS
        while position < end:
            async with translated(self._settings, f"{self.topic} cannot be read", seconds=ANSWER_SECONDS):
                fetched = await self._consumer.getmany(place, timeout_ms=POLL_MS, max_records=PAGE_RECORDS)
                reached = await self._consumer.position(place)
            page = fetched.get(place, [])
            if page:
                yield page if page[-1].offset < end else [record for record in page if record.offset < end]
            now = asyncio.get_running_loop().time()
            if reached > position:
                position, stalled_at = reached, now + ANSWER_SECONDS
            elif now > stalled_at:
                raise KafkaAway(f"{self.topic}, partition {partition}, returns no records from offset {position} on")

    async def read(
        self, partition: int, after: Head, until: int, *, start: int = 0
    ) -> AsyncIterator[list[SourceRecord]]:
        """The admitted entries after the head, up to the position `until`. `start`: an offset at or before that of the
        next entry. Raises `LogBroken` if the log ends before `until`.
        """
        head = after
        first, end = await self.bounds(partition)
        async for records in self.records(partition, max(start, first), end):
            page = []
            for record in records:
                admitted = admit(head, partition, record.value)
                if not isinstance(admitted, VoidReason) and admitted.head.position <= until:
                    head = admitted.head
                    page.append(SourceRecord(partition, head.position, record.offset, admitted.value))
            yield page
            if head.position >= until:
                return
        if head.position < until:
            raise LogBroken(
                f"the log of partition {partition} ends at position {head.position}, before {until}: "
                "run `daybook audit verify`"
            )


@asynccontextmanager
async def open_topic(settings: Settings) -> AsyncIterator[TopicLog]:
    """Raises `KafkaAway`."""
    # Not `bulk`: it would fetch more records ahead, and with a long log these take most of each process's memory.
    reader = consumer(settings, "daybook-audit", reset="none")
    async with translated(settings, seconds=ANSWER_SECONDS):
        await start(reader)
    try:
        topic = TopicLog(settings, reader)
        await topic.look()
        yield topic
    finally:
        await close_quietly(reader)
