"""Follows the log's topic from given positions, and yields entries as they are admitted. Void records are skipped.
After an outage, it continues without repeating entries.
"""

import asyncio
import logging
import math
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition

from daybook_client.attempts import Again, Attempts
from daybook_client.errors import CredentialsRefused, KafkaAway, KafkaRefuses, LogChanged, Misuse
from daybook_client.items import LogEntry
from daybook_client.kafka import clients
from daybook_client.kafka.connection import KafkaConnection
from daybook_client.kafka.outages import translated
from daybook_client.positions import BEGINNING, After, Starts, checkpoint_text
from daybook_contracts.log import continuity
from daybook_contracts.log.admission import Admitted, VoidReason, admit
from daybook_contracts.log.head import GENESIS, Head
from daybook_contracts.routing import partition_of
from daybook_contracts.topics import Topics

CLIENT_ID: Final = "daybook-client-tail"
ANSWER_SECONDS: Final = 30.0
POLL_MS: Final = 200
POLL_RECORDS: Final = 500

log = logging.getLogger("daybook_client")


class TopicEntry(LogEntry, frozen=True):
    """`offset`: that of its record in Kafka."""

    offset: int = -1

    @property
    def checkpoint(self) -> str:
        return checkpoint_text(self.position, self.offset, self.metadata_json["hash"])


_ENTRY: Final = msgspec.json.Decoder(TopicEntry)


@dataclass(slots=True)
class Place:
    """The progress of reading one partition. If the offset and hash of `after` are known, reading begins at its record.
    Otherwise it begins at the first record, because whether a record is void depends on the entries before it. Entries
    up to `after`, or below `first_offset`, are read but not yielded.
    """

    partition: int
    after: After = BEGINNING
    first_offset: int = 0
    next_offset: int = field(init=False)
    head: Head = GENESIS
    _voids: int = 0
    _known: Head | None = None  # the entry that must be at `next_offset`

    def __post_init__(self) -> None:
        self.next_offset = self.after.offset or 0
        if self.after.offset is not None:
            self._known = Head(self.after.number, self.after.hash)

    def check_bounds(self, log_start: int, log_end: int) -> None:
        """Raises continuity.LogChanged."""
        continuity.check_bounds(self.next_offset + (self._known is not None), log_start, log_end)

    def take(self, offset: int, value: bytes | None) -> Admitted | None:
        """The record's entry, if it is to be yielded. Raises continuity.LogChanged."""
        if self._known is not None:
            continuity.check_head(self._known, self.next_offset, self.partition, value)
            self.head, self._known, self.next_offset = self._known, None, offset + 1
            return None
        self.next_offset = offset + 1
        admitted = admit(self.head, self.partition, value)
        if isinstance(admitted, VoidReason):
            self._voids += 1
            continuity.check_voids(self._voids)
            return None
        self.head, self._voids = admitted.head, 0
        return admitted if self.head.position > self.after.number and offset >= self.first_offset else None


@dataclass(slots=True)
class LogTail:
    """`org_id`: None for all orgs."""

    connection: KafkaConnection
    topic_prefix: str
    org_id: UUID | None
    starts: Starts
    is_open: Callable[[], bool]
    _places: dict[TopicPartition, Place] = field(default_factory=dict)

    async def entries(self) -> AsyncGenerator[LogEntry]:
        """Ends when the client is closed. Raises CredentialsRefused, LogChanged and Misuse."""
        loop, attempts = asyncio.get_running_loop(), _attempts()
        while self.is_open():
            try:
                async with aclosing(self._until_interrupted()) as found:
                    async for entry in found:
                        attempts = _attempts()
                        yield entry
            except KafkaRefuses as refused:
                raise CredentialsRefused(str(refused)) from refused
            except KafkaAway as away:
                pause = attempts.pause([Again(str(away))], loop.time()) or 0.0
                log.info("tail_interrupted", extra={"reason": str(away), "pause_seconds": round(pause, 3)})
                await asyncio.sleep(pause)
            except continuity.LogChanged as changed:
                raise LogChanged(f"{Topics(self.topic_prefix).audit_log}: {changed}") from changed

    async def _until_interrupted(self) -> AsyncGenerator[LogEntry]:
        """The entries until Kafka fails or the client is closed."""
        reader = clients.consumer(self.connection, CLIENT_ID, reset="none")
        try:
            async with translated(self.connection, seconds=ANSWER_SECONDS):
                await reader.start()
                await self._find_places(reader)
            reader.assign(list(self._places))
            for source, place in self._places.items():
                reader.seek(source, place.next_offset)
            while self.is_open():
                async with translated(self.connection, "the log cannot be read", seconds=ANSWER_SECONDS):
                    fetched = await reader.getmany(timeout_ms=POLL_MS, max_records=POLL_RECORDS)
                for source, records in fetched.items():
                    for record in records:
                        admitted = self._places[source].take(record.offset, record.value)
                        entry = None if admitted is None else wanted_entry(admitted, source.partition, self.org_id)
                        if entry is not None:
                            yield msgspec.structs.replace(entry, offset=record.offset)
        finally:
            await clients.close_quietly(reader)

    async def _find_places(self, reader: AIOKafkaConsumer) -> None:
        """The first time, makes the places; later, checks that the log still has what was read."""
        is_first = not self._places
        places = self._places or self._new_places(await _partitions(reader, Topics(self.topic_prefix).audit_log))
        firsts, ends = await reader.beginning_offsets(list(places)), await reader.end_offsets(list(places))
        for source, place in places.items():
            place.check_bounds(firsts[source], ends[source])
            if is_first and self.starts.of(place.partition) is None:
                place.first_offset = ends[source]
        self._places = places

    def _new_places(self, partitions: int) -> dict[TopicPartition, Place]:
        read = range(partitions) if self.org_id is None else [partition_of(str(self.org_id), partitions)]
        for partition in self.starts.places:
            if partition not in read:
                where = f"that of org {self.org_id}" if self.org_id else f"one of the log's {partitions}"
                raise Misuse(f"after: partition {partition} is not {where}")
        topic = Topics(self.topic_prefix).audit_log
        return {TopicPartition(topic, each): Place(each, self.starts.of(each) or BEGINNING) for each in read}


def wanted_entry(admitted: Admitted, partition: int, org_id: UUID | None) -> TopicEntry | None:
    """The entry; None if it belongs to another org, or cannot be read. If `org_id` is None, the entries of all orgs are
    wanted.
    """
    if org_id is not None and admitted.entry is not None and admitted.entry.org_id != str(org_id):
        return None
    try:
        entry = _ENTRY.decode(admitted.value)
    except (ValueError, RecursionError) as error:
        # Daybook itself cannot apply it either: the projector quarantines its org.
        fields = {"position": f"{partition}.{admitted.head.position}", "reason": str(error)}
        log.warning("entry_unreadable", extra=fields)
        return None
    return entry if org_id in {None, entry.org_id} else None


async def _partitions(reader: AIOKafkaConsumer, topic: str) -> int:
    # A consumer knows only the topics that it was asked about.
    await reader.beginning_offsets([TopicPartition(topic, 0)])
    return len(reader.partitions_for_topic(topic) or ())


def _attempts() -> Attempts:
    return Attempts(math.inf, ANSWER_SECONDS)
