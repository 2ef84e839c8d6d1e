"""Appends batches to the audit log and returns the outcome: acknowledged, unknown or refused. Only the Kafka producer
retries, until the deadline.
"""

import asyncio

from aiokafka.errors import (
    CorruptRecordException,
    InvalidTopicError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
)

from daybook_client.kafka.refusals import describe_error
from daybook_client.kafka.replaceable import ReplaceableProducer
from daybook_command.shard.effects import Append, LogAppend
from daybook_command.shard.events import Acknowledged, AppendRefused, AppendUnknown
from daybook_infra.runtime.errors import KafkaAway
from daybook_infra.runtime.failpoints import failpoint
from daybook_infra.runtime.kafka.entry_batches import MAX_BATCH_BYTES, EntryRecord, entry_batch, entry_record
from daybook_infra.runtime.kafka.options import connection_of
from daybook_infra.runtime.settings import Settings

APPEND_SECONDS = 10.0
# How long an unknown append counts as a fault. In this time the shard takes over again, decides the commands again, and
# appends their entries.
FAULT_SECONDS = 20.0
_REFUSALS = (MessageSizeTooLargeError, RecordListTooLargeError, CorruptRecordException, InvalidTopicError)

AppendOutcome = Acknowledged | AppendUnknown | AppendRefused


class LogWriter:
    """Uses one idempotent producer for all partitions, and replaces it if a batch is not acknowledged."""

    def __init__(self, settings: Settings, topic: str) -> None:
        self._topic = topic
        self._connection = connection_of(settings)
        self._producers = ReplaceableProducer(
            self._connection, "daybook-command-log-writer", batch_bytes=MAX_BATCH_BYTES
        )
        self._unknown_at: dict[int, float] = {}
        self._reason = ""

    @property
    def fault(self) -> str | None:
        """For health: shows, for example, that a partition has a leader but too few in-sync replicas."""
        now = asyncio.get_running_loop().time()
        late = sorted(partition for partition, at in self._unknown_at.items() if now - at < FAULT_SECONDS)
        if not late:
            return None
        return f"Kafka does not acknowledge entries of partitions {', '.join(map(str, late))}: {self._reason}"

    async def stop(self) -> None:
        await self._producers.stop()

    async def append(self, partition: int, append: Append) -> AppendOutcome:
        """Appends the batch and returns the outcome. If the deadline passes, the outcome is unknown."""
        outcome = await self._try_append(partition, append)
        self._unknown_at.pop(partition, None)
        if isinstance(outcome, AppendUnknown):
            self._unknown_at[partition] = asyncio.get_running_loop().time()
        return outcome

    async def _try_append(self, partition: int, append: Append) -> AppendOutcome:
        try:
            problem = f"entries of partition {partition} are not acknowledged"
            async with self._producers.use(problem, seconds=APPEND_SECONDS, passing=_REFUSALS) as producer:
                batch = entry_batch(producer, map(log_record, append.records))
                failpoint("before-append")
                metadata = await (await producer.send_batch(batch, self._topic, partition=partition))
                failpoint("after-append")
        except _REFUSALS as error:
            return AppendRefused(f"Kafka refused the batch: {error!r}")
        except KafkaAway as away:
            self._reason = describe_error(self._connection, away.__cause__ or away)
            return AppendUnknown()
        # If the producer retries a batch that the broker already has, the broker acknowledges it without an offset.
        return Acknowledged(None if metadata is None or metadata.offset < 0 else metadata.offset)


def log_record(append: LogAppend) -> EntryRecord:
    return entry_record(append.trusted.entry, append.value, append.traceparent)
