"""Reads the entries to fold: a partition and two checkpoints in, the entries between them out, in pages. The source is
the topic, the whole `audit_log`, or one org's rows in `audit_log`.
"""

from collections.abc import AsyncIterator
from typing import Final, NamedTuple, Protocol

import msgspec
from msgspec.structs import replace

from daybook_contracts.log.admission import Admitted, VoidReason, admit
from daybook_contracts.log.head import Checkpoint, Head
from daybook_infra.runtime.postgres.connections import Connection
from daybook_projector.audit.log.place import SourceRecord
from daybook_projector.audit.log.table import TableLog
from daybook_projector.audit.log.topic import LogBroken, TopicLog
from daybook_projector.partition.entry import PartitionEntry, poison_if_misplaced, read_partition_entry
from daybook_projector.rebuild.refusal import Unappliable

Pages = AsyncIterator[list[PartitionEntry]]


class LogEntries(Protocol):
    def read(self, partition: int, after: Checkpoint, until: Checkpoint) -> Pages:
        """Raises `LogBroken`, `RebuildRefused`, `KafkaAway` and `DatabaseAway`."""
        ...


class LoggedEntries:
    """Reads the topic. With `org_id`, returns only the entries of this org."""

    def __init__(self, topic: TopicLog, partitions: int, org_id: str | None = None) -> None:
        self._topic = topic
        self._partitions = partitions
        self._org_id = org_id

    async def read(self, partition: int, after: Checkpoint, until: Checkpoint) -> Pages:
        head = after.head
        first, end = await self._topic.bounds(partition)
        if not first <= after.next_offset <= until.next_offset <= end:
            raise _broken(partition, head.position + 1, "the topic")
        async for records in self._topic.records(partition, after.next_offset, until.next_offset):
            page = []
            for record in records:
                admitted = admit(head, partition, record.value)
                if not isinstance(admitted, VoidReason):
                    head = admitted.head
                    entry = read_partition_entry(record.offset, admitted)
                    page.append(poison_if_misplaced(entry, partition, self._partitions))
            yield page if self._org_id is None else [entry for entry in page if entry.org_id == self._org_id]
        _require_head(partition, head, until, "the topic")


class KeptEntries:
    """Reads `audit_log`, in the connection's snapshot. The table has no index on positions, so each call scans the
    whole table.
    """

    def __init__(self, connection: Connection, partitions: int) -> None:
        self._connection = connection
        self._partitions = partitions

    async def read(self, partition: int, after: Checkpoint, until: Checkpoint) -> Pages:
        head = after.head
        log = TableLog(self._connection)
        async for records in log.read(partition, after.head, until.head.position):
            page = []
            for record in records:
                row = read_row(record, self._partitions)
                if row.prev != head.hash:
                    raise _broken(partition, head.position + 1, "audit_log")
                head = row.entry.head
                page.append(row.entry)
            yield page
        _require_head(partition, head, until, "audit_log")
        await _require_first_ids(log)


class OrgEntries:
    """Reads the rows of one org in `audit_log`, by the index on orgs. Does not read the rows of other orgs."""

    def __init__(self, connection: Connection, org_id: str, partitions: int) -> None:
        self._connection = connection
        self._org_id = org_id
        self._partitions = partitions

    async def read(self, partition: int, after: Checkpoint, _until: Checkpoint) -> Pages:
        log = TableLog(self._connection)
        async for records in log.read_org(partition, self._org_id, after.head):
            yield [read_row(record, self._partitions).entry for record in records]
        await _require_first_ids(log)


class Row(NamedTuple):
    """`prev`: the hash of the previous entry, as this row states it."""

    entry: PartitionEntry
    prev: str


class _Links(msgspec.Struct, gc=False):
    hash: str = ""
    prev: str = ""


class _Linked(msgspec.Struct, gc=False):
    metadata_json: _Links
    result: str = ""


class _Payload(msgspec.Struct, gc=False):
    data: object = None
    salt: object = None


class _WithPayload(msgspec.Struct, gc=False):
    metadata_json: _Payload


_LINKED: Final = msgspec.json.Decoder(_Linked)
_WITH_PAYLOAD: Final = msgspec.json.Decoder(_WithPayload)


def read_row(record: SourceRecord, partitions: int) -> Row:
    """Marks the entry as poison if its row differs from the logged entry."""
    head = Head(record.position, "")
    if record.value is None:
        poison = f"its row cannot come from a record of the log: {record.fault}"
        return Row(PartitionEntry(offset=record.offset, head=head, poison=poison), "")
    try:
        linked = _LINKED.decode(record.value)
    except ValueError:
        poison = "its row differs from the logged entry"
        return Row(PartitionEntry(offset=record.offset, head=head, poison=poison), "")
    links = linked.metadata_json
    admitted = admit(Head(record.position - 1, links.prev), record.partition, record.value)
    verdict = admitted if isinstance(admitted, VoidReason) else None
    if isinstance(admitted, VoidReason):
        admitted = Admitted(Head(record.position, links.hash), record.value, None)
    entry = read_partition_entry(record.offset, admitted)
    if entry.poison is not None and _is_redacted(record.value):
        # The data of a failure is not needed, because a failure changes no rows.
        entry = replace(entry, poison=None if linked.result == "failure" else "it is redacted")
    if entry.poison is None and verdict is not None:
        entry = replace(entry, poison=f"its row differs from the logged entry ({verdict})")
    return Row(poison_if_misplaced(entry, record.partition, partitions), links.prev)


def _is_redacted(value: bytes) -> bool:
    payload = _WITH_PAYLOAD.decode(value).metadata_json
    return payload.data is None and payload.salt is None


async def _require_first_ids(log: TableLog) -> None:
    """A row may have its entry's second id only if another entry's row has the first."""
    for row in await log.needlessly_displaced():
        raise Unappliable(
            row.partition,
            row.position,
            "",
            "its row has the entry's second id, although no other row has the first",
        ).refusal()


def _require_head(partition: int, head: Head, until: Checkpoint, source: str) -> None:
    if head != until.head:
        raise _broken(partition, min(head.position, until.head.position) + 1, source)


def _broken(partition: int, position: int, source: str) -> LogBroken:
    return LogBroken(
        f"{source} is not the log that was projected: see entry {partition}.{position}. "
        "Run `daybook audit verify`; nothing was changed"
    )
