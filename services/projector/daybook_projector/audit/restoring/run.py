"""Restores the log topic from one snapshot of PostgreSQL, in two steps: check everything, then write. The first step
changes nothing, so the caller can ask before the second.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Final

from aiokafka import AIOKafkaProducer

from daybook_contracts.log.head import NOTHING_PROJECTED, Checkpoint, Head
from daybook_infra.operations.commands.progress import Advance
from daybook_infra.runtime.errors import DaybookError
from daybook_infra.runtime.failpoints import failpoint
from daybook_infra.runtime.kafka import clients as kafka
from daybook_infra.runtime.kafka.entry_batches import MAX_BATCH_BYTES
from daybook_infra.runtime.kafka.outages import translated
from daybook_infra.runtime.kafka.topics import TopicMismatch, ensure_topics, verify_topics
from daybook_infra.runtime.settings import Settings
from daybook_projector.audit.log.table import TableLog
from daybook_projector.audit.log.topic import TopicLog, open_topic
from daybook_projector.audit.restoring.partition_writer import PartitionWriter
from daybook_projector.audit.restoring.places import restored_place, set_places
from daybook_projector.audit.restoring.refused import OtherRecords, Refused
from daybook_projector.audit.restoring.running_services import refuse_running
from daybook_projector.audit.restoring.whole_log import whole_log
from daybook_projector.audit.restoring.written import ValuesSum, Written, read_written
from daybook_projector.audit.verify.snapshot import AuditSnapshot, open_snapshot
from daybook_projector.audit.verify.workers import ShowProgress

START_SECONDS: Final = 30.0
ONLY_ONE: Final = "SELECT pg_try_advisory_xact_lock(hashtext('daybook audit restore-topic'))"


@dataclass(frozen=True, slots=True)
class PlannedPartition:
    """A partition: the head of its log, what the topic has already, and a checksum of all entries."""

    partition: int
    head: Head
    written: Written
    sum: bytes

    @property
    def entries(self) -> int:
        return self.head.position + 1


@dataclass(frozen=True, slots=True)
class Plan:
    """`unset`: how many checkpoints still need the offsets of the restored topic."""

    topic: str
    is_there: bool
    parts: tuple[PlannedPartition, ...]
    unset: int

    @property
    def entries(self) -> int:
        return sum(part.entries for part in self.parts)

    @property
    def to_write(self) -> int:
        return self.entries - sum(part.written.records for part in self.parts)

    @property
    def is_done(self) -> bool:
        return self.is_there and self.to_write == 0 and self.unset == 0


@dataclass(frozen=True, slots=True)
class Restored:
    made_topics: tuple[str, ...]
    written: int
    set_checkpoints: int


@asynccontextmanager
async def open_restoration(settings: Settings) -> AsyncIterator["Restoration"]:
    """Raises `DatabaseAway`, `Refused` if another restoration is running, `DaybookError` if the schema is not right."""
    async with open_snapshot(settings) as snapshot:
        if not await snapshot.connection.fetchval(ONLY_ONE):
            raise Refused("another `daybook audit restore-topic` is running on this database")
        yield Restoration(settings, snapshot)


class Restoration:
    """Both steps raise `KafkaAway` and `DatabaseAway`."""

    def __init__(self, settings: Settings, snapshot: AuditSnapshot) -> None:
        self._settings = settings
        self._checkpoints: Mapping[int, Checkpoint] = snapshot.checkpoints
        self._table = TableLog(snapshot.connection)

    async def check(self, show_progress: ShowProgress, *, lose_unprojected: bool) -> Plan:
        """Changes nothing. Raises `Refused`."""
        await refuse_running(self._settings)
        self._check_partitions()
        async with open_topic(self._settings) as topic:
            if topic.is_there:
                await self._verify_topics()
            written = {
                partition: await read_written(topic, partition, self._head(partition).position + 1)
                for partition in range(self._settings.partitions)
            }
        total = sum(self._head(partition).position + 1 for partition in written)
        present = sum(each.records for each in written.values())
        if not lose_unprojected and (present < total or not topic.is_there):
            raise Refused(_unprojected(topic, present))
        with show_progress(total, "entries checked") as advance:
            parts = [await self._check(topic, partition, each, advance) for partition, each in written.items()]
        unset = sum(restored_place(each) != each for each in self._checkpoints.values())
        return Plan(topic.topic, topic.is_there, tuple(parts), unset)

    async def write(self, plan: Plan, show_progress: ShowProgress) -> Restored:
        """Can be killed and repeated. Raises `Refused`, and `DaybookError` if others write meanwhile."""
        await refuse_running(self._settings)
        made = await ensure_topics(self._settings)
        with show_progress(plan.to_write, "entries written") as advance:
            async with _producer(self._settings) as producer:
                for part in plan.parts:
                    await self._write(producer, plan.topic, part, advance)
        with show_progress(plan.entries, "entries read back") as advance:
            await self._read_back(plan, advance)
        failpoint("restore-written")
        return Restored(made, plan.to_write, await set_places(self._settings, self._checkpoints))

    def _head(self, partition: int) -> Head:
        return self._checkpoints.get(partition, NOTHING_PROJECTED).head

    def _check_partitions(self) -> None:
        last = max(self._checkpoints, default=0)
        if last >= self._settings.partitions:
            raise Refused(f"partition {last} has been projected, and DAYBOOK_PARTITIONS is {self._settings.partitions}")

    async def _verify_topics(self) -> None:
        try:
            await verify_topics(self._settings)
        except TopicMismatch as mismatch:
            raise Refused(str(mismatch)) from mismatch

    async def _check(self, topic: TopicLog, partition: int, written: Written, advance: Advance) -> PlannedPartition:
        head, values, count = self._head(partition), ValuesSum(), 0
        is_beginning = written == Written(0, values.digest())
        async with aclosing(whole_log(self._table, partition, head, self._settings.partitions)) as pages:
            async for page in pages:
                for followed in page:
                    values.add(followed.value)
                    count += 1
                    if count == written.records:
                        is_beginning = written.sum == values.digest()
                advance(len(page))
        if not is_beginning:
            raise OtherRecords(topic.topic, partition, "has other records than audit_log")
        return PlannedPartition(partition, head, written, values.digest())

    async def _write(self, producer: AIOKafkaProducer, topic: str, part: PlannedPartition, advance: Advance) -> None:
        if part.written.records == part.entries:
            return
        writer = PartitionWriter(self._settings, producer, topic, part.partition, part.written.records)
        async with aclosing(whole_log(self._table, part.partition, part.head, self._settings.partitions)) as pages:
            async for page in pages:
                await writer.take(page)
                advance(len(page))
        await writer.finish()

    async def _read_back(self, plan: Plan, advance: Advance) -> None:
        async with open_topic(self._settings) as topic:
            for part in plan.parts:
                try:
                    found = await read_written(topic, part.partition, part.entries)
                    if found != Written(part.entries, part.sum):
                        raise OtherRecords(topic.topic, part.partition, "has other records than were written")
                except Refused as refused:
                    raise DaybookError(f"somebody else writes to the topic: {refused}") from refused
                advance(part.entries)


@asynccontextmanager
async def _producer(settings: Settings) -> AsyncIterator[AIOKafkaProducer]:
    producer = kafka.producer(settings, "daybook-restore-topic", batch_bytes=MAX_BATCH_BYTES)
    async with translated(settings, seconds=START_SECONDS):
        await kafka.start(producer)
    try:
        yield producer
    finally:
        await kafka.close_quietly(producer)


def _unprojected(topic: TopicLog, present: int) -> str:
    state = f"has only the first {present} entries" if present else "is empty" if topic.is_there else "is missing"
    return (
        f"topic {topic.topic} {state}, so nobody can know whether the old one ended with entries that were not "
        "projected; they would be lost for good. If the old topic cannot be brought back, use --lose-unprojected"
    )
