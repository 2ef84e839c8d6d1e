"""The consumer of the audit log, with a worker for each assigned partition. It commits offsets only for tools that
display lag: workers begin at the checkpoint in PostgreSQL.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition

from daybook_client.kafka.refusals import DENIALS
from daybook_contracts.topics import Topics
from daybook_infra.runtime.errors import KafkaAway
from daybook_infra.runtime.kafka.outages import translated
from daybook_infra.runtime.logs import get_logger
from daybook_infra.runtime.settings import Settings
from daybook_projector.kafka.feed import Feed

POLL_MS = 200
FETCHED_RECORDS = 10_000
COMMIT_SECONDS = 5.0
DRAIN_SECONDS = 10.0
DENIED_PAUSE_SECONDS = 1.0

log = get_logger(__name__)


class PartitionWorker(Protocol):
    """Projects the records of its `feed`. `projected_to`: the offset after the last projected record; None until the
    partition is taken over.
    """

    feed: Feed

    @property
    def projected_to(self) -> int | None: ...

    async def run(self) -> None: ...


class ConsumerReport(Protocol):
    def assigned(self, partitions: list[int]) -> None: ...

    def given_away(self, partition: int) -> None: ...

    def server_away(self, away: KafkaAway, *, by: object) -> None: ...

    def server_back(self, kind: type[KafkaAway], *, by: object) -> None: ...


MakeWorker = Callable[[int, Feed], PartitionWorker]


class LogConsumer(ConsumerRebalanceListener):
    def __init__(
        self, settings: Settings, consumer: AIOKafkaConsumer, make_worker: MakeWorker, report: ConsumerReport
    ) -> None:
        self._settings = settings
        self._consumer = consumer
        self._topic = Topics(settings.topic_prefix).audit_log
        self._make_worker = make_worker
        self._report = report
        self._workers: dict[int, PartitionWorker] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._group: asyncio.TaskGroup | None = None
        self._committed_offsets: dict[TopicPartition, int] = {}

    @property
    def partitions(self) -> list[int]:
        """The assigned partitions."""
        return list(self._workers)

    @property
    def projected_to(self) -> dict[int, int]:
        """For each partition that is taken over, the offset after the last projected record."""
        found = {partition: worker.projected_to for partition, worker in self._workers.items()}
        return {partition: offset for partition, offset in found.items() if offset is not None}

    async def run(self, stop: asyncio.Event) -> None:
        """Runs until `stop` is set; then each worker ends after its current batch. A worker's bug is raised here."""
        async with asyncio.TaskGroup() as self._group:
            self._consumer.subscribe([self._topic], listener=self)
            while not stop.is_set():
                for source, records in (await self._fetch()).items():
                    if source.partition in self._workers:
                        self._workers[source.partition].feed.put(records)
            await self._drain()

    async def _fetch(self) -> Mapping[TopicPartition, list[ConsumerRecord[bytes, bytes]]]:
        """Fetches records; none while an ACL is missing. When the ACL is granted, the consumer recovers by itself. It
        does not recover from any other error, so such an error ends the process.
        """
        try:
            fetched = await self._consumer.getmany(timeout_ms=POLL_MS, max_records=FETCHED_RECORDS)
        except DENIALS as error:
            self._report.server_away(KafkaAway(f"Kafka refuses access to the log: {error}"), by=self)
            await asyncio.sleep(DENIED_PAUSE_SECONDS)
            return {}
        self._report.server_back(KafkaAway, by=self)
        return fetched

    async def commit(self) -> None:
        offsets = {TopicPartition(self._topic, partition): offset for partition, offset in self.projected_to.items()}
        if offsets in ({}, self._committed_offsets):
            return
        try:
            async with translated(self._settings, "offsets cannot be committed", seconds=COMMIT_SECONDS):
                await self._consumer.commit(offsets)
            self._committed_offsets = offsets
        except KafkaAway as away:
            # This happens during a rebalance or an outage. Nothing depends on these offsets.
            log.debug("offsets_not_committed", reason=str(away))

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        # A write in progress may still succeed: the checkpoint, not the assignment, decides that.
        for source in revoked:
            self._workers.pop(source.partition, None)
            task = self._tasks.pop(source.partition, None)
            if task is not None:
                task.cancel()
            self._report.given_away(source.partition)

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        # Pauses first, because the consumer can return records before this callback ends. The callback must not wait,
        # because the client sends no heartbeats meanwhile.
        self._consumer.pause(*assigned)
        self._report.assigned([source.partition for source in assigned])
        for source in assigned:
            worker = self._make_worker(source.partition, Feed(self._consumer, source))
            self._workers[source.partition] = worker
            if self._group is not None:
                self._tasks[source.partition] = self._group.create_task(worker.run())

    async def _drain(self) -> None:
        # From now on, no worker starts: a partition that is assigned now will soon belong to another instance.
        self._group = None
        for worker in self._workers.values():
            worker.feed.finish()
        tasks = list(self._tasks.values())
        if tasks:
            await asyncio.wait(tasks, timeout=DRAIN_SECONDS)
        for task in tasks:
            task.cancel()
