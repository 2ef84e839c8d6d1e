"""The entries of one partition as a fold takes them: the topic or `audit_log` in, ordered pages of entries out. A
record that does not extend the log is void in the topic, and is skipped. In `audit_log` such a record is an error.
"""

from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from typing import Any

import orjson
from msgspec.structs import replace

from daybook_contracts.log.admission import Admitted, VoidReason, admit
from daybook_contracts.log.head import GENESIS, Head
from daybook_projector.audit.log.place import SourceRecord
from daybook_projector.audit.log.table import TableLog
from daybook_projector.audit.log.topic import LogBroken, TopicLog
from daybook_projector.partition.entry import PartitionEntry, poison_if_misplaced, read_partition_entry

Pages = AsyncGenerator[list[PartitionEntry], None]
"""If you do not read it to its end, close it. Until then, nothing else can use its connection."""

REDACTED = "it is redacted"
"""The reason why a success without data is poison: what it changed is not known."""


async def topic_entries(log: TopicLog, partition: int, partitions: int, until: int) -> Pages:
    """The entries of the topic up to the position `until`. Raises `KafkaAway`, and `LogBroken` if the log ends before
    that position.
    """
    head: Head = GENESIS
    start, end = await log.bounds(partition)
    if until > head.position:
        async for records in log.records(partition, start, end):
            page = []
            for record in records:
                admitted = admit(head, partition, record.value)
                if not isinstance(admitted, VoidReason) and admitted.head.position <= until:
                    head = admitted.head
                    page.append(_entry(record.offset, admitted, partition, partitions))
            yield page
            if head.position >= until:
                return
    _require_end(partition, head, until, "topic")


async def table_entries(log: TableLog, partition: int, partitions: int, until: int) -> Pages:
    """The entries of `audit_log` up to the position `until`. Raises `LogBroken` if the log ends before that position,
    or if a row does not extend the log.
    """
    head: Head = GENESIS
    async with aclosing(log.read(partition, GENESIS, until)) as rows:
        async for records in rows:
            page = []
            for record in records:
                admitted = admit(head, partition, record.value)
                if isinstance(admitted, VoidReason):
                    raise _altered(record, admitted)
                head = admitted.head
                page.append(_entry(record.offset, admitted, partition, partitions))
            yield page
    _require_end(partition, head, until, "audit_log")


async def org_entries(log: TableLog, org_id: str, partition: int, partitions: int, until: int) -> Pages:
    """The org's entries in `audit_log`, read by the index on orgs. Checks the hash of each entry, but not whether
    entries are missing.
    """
    async with aclosing(log.read_org(partition, org_id)) as rows:
        async for records in rows:
            yield [_own(record, partitions) for record in records if record.position <= until]


def _own(record: SourceRecord, partitions: int) -> PartitionEntry:
    before = Head(record.position - 1, _prev(record.value))
    admitted = admit(before if record.position > 0 else GENESIS, record.partition, record.value)
    if isinstance(admitted, VoidReason):
        raise _altered(record, admitted)
    return _entry(record.offset, admitted, record.partition, partitions)


def _prev(value: bytes | None) -> str:
    try:
        metadata: Any = orjson.loads(value or b"")["metadata_json"]
        return str(metadata["prev"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return ""


def _entry(offset: int, admitted: Admitted, partition: int, partitions: int) -> PartitionEntry:
    entry = read_partition_entry(offset, admitted)
    if entry.poison is not None and _is_redacted(entry.metadata):
        is_failure = entry.columns is not None and entry.columns.result == "failure"
        entry = replace(entry, poison=None if is_failure else REDACTED, fact=None)
    return poison_if_misplaced(entry, partition, partitions)


def _is_redacted(metadata: str) -> bool:
    found: Any = orjson.loads(metadata) if metadata else None
    return isinstance(found, dict) and found.get("data", "") is None and found.get("salt", "") is None


def redacted_positions(entries: Iterable[PartitionEntry]) -> list[int]:
    return [entry.head.position for entry in entries if entry.poison == REDACTED]


def _altered(record: SourceRecord, reason: VoidReason) -> LogBroken:
    return LogBroken(
        f"entry {record.partition}.{record.position} of audit_log is not what was logged ({record.fault or reason}): "
        "run `daybook audit verify`"
    )


def _require_end(partition: int, head: Head, until: int, source: str) -> None:
    if head.position < until:
        raise LogBroken(
            f"partition {partition} of the {source} ends at position {head.position}, before {until}: "
            "run `daybook audit verify`"
        )
