"""Writes the entries of one partition to the topic, each at the offset that is its position: entries in, record batches
of whole commands out.
"""

from collections.abc import Iterable

import orjson
from aiokafka import AIOKafkaProducer

from daybook_contracts.entries.entry import Entry
from daybook_contracts.limits import LOG_BATCH_BYTES
from daybook_contracts.topics import entry_headers
from daybook_infra.runtime.errors import DaybookError
from daybook_infra.runtime.failpoints import failpoint
from daybook_infra.runtime.kafka.entry_batches import EntryRecord, entry_batch, entry_record
from daybook_infra.runtime.kafka.outages import translated
from daybook_infra.runtime.settings import Settings
from daybook_projector.audit.checks.chain import Followed

ACK_SECONDS = 60.0


class PartitionWriter:
    """`next_offset`: the offset of the first record to write; the topic has all earlier entries. Raises `KafkaAway`,
    and `DaybookError` if somebody else writes to the topic. After either error, whether the last batch was written is
    unknown.
    """

    def __init__(
        self, settings: Settings, producer: AIOKafkaProducer, topic: str, partition: int, next_offset: int
    ) -> None:
        self._settings = settings
        self._producer = producer
        self._topic = topic
        self._partition = partition
        self._next_offset = next_offset
        self._batch: list[EntryRecord] = []
        self._size = 0
        self._command: list[EntryRecord] = []
        self._command_id: str | None = None

    async def take(self, page: Iterable[Followed]) -> None:
        for followed in page:
            if followed.position < self._next_offset + len(self._batch) + len(self._command):
                continue
            entry = followed.entry
            command_id = None if entry is None else entry.command_id
            if command_id != self._command_id:
                await self._end_command()
            self._command.append(_record(followed))
            self._command_id = command_id
            if entry is None or entry.ends_command:
                await self._end_command()

    async def finish(self) -> None:
        await self._end_command()
        await self._send()

    async def _end_command(self) -> None:
        size = sum(len(record.value) for record in self._command)
        if self._batch and self._size + size > LOG_BATCH_BYTES:
            await self._send()
        self._batch += self._command
        self._size += size
        self._command, self._command_id = [], None

    async def _send(self) -> None:
        if not self._batch:
            return
        problem = f"{self._topic}, partition {self._partition}, does not accept the batch at offset {self._next_offset}"
        async with translated(self._settings, problem, seconds=ACK_SECONDS):
            batch = entry_batch(self._producer, self._batch)
            metadata = await (await self._producer.send_batch(batch, self._topic, partition=self._partition))
        # If the broker had already written the batch, the retry is acknowledged without an offset.
        if metadata is not None and metadata.offset not in (-1, self._next_offset):
            raise DaybookError(
                f"{self._topic}, partition {self._partition}: a batch was written at offset {metadata.offset} instead "
                f"of {self._next_offset}, so somebody else writes there; delete the topic and begin again"
            )
        failpoint("restore-begun")
        self._next_offset += len(self._batch)
        self._batch, self._size = [], 0


def _record(followed: Followed) -> EntryRecord:
    columns = None if followed.entry is None else followed.entry.columns
    if isinstance(columns, Entry):
        return entry_record(columns, followed.value)
    # The entry is of another version, or forged. Its record gets headers only if all their values can be read.
    entry = orjson.loads(followed.value)
    id_, key, created_at = entry.get("id"), entry["metadata_json"].get("key"), entry.get("created_at")
    headers = entry_headers(id_, key, created_at) if all(isinstance(m, str) for m in (id_, key, created_at)) else []
    return EntryRecord(key.encode() if isinstance(key, str) else None, followed.value, headers)
