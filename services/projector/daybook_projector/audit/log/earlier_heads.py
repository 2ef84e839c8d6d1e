"""Finds the log's head at an earlier position without reading the log from its beginning. Each entry names the hash of
the entry before it, so a checkpoint vouches for all earlier entries. The log is read backwards, in blocks.
"""

from typing import Final, NamedTuple

import orjson
from aiokafka import ConsumerRecord

from daybook_contracts.log.continuity import LogChanged, check_bounds, check_head, head_of
from daybook_contracts.log.head import GENESIS, NO_ENTRY, Checkpoint, Head
from daybook_projector.audit.log.topic import TopicLog

BLOCK_RECORDS: Final = 5_000


class Reached(NamedTuple):
    """The log's head, and the offset from which the entries after it are read."""

    head: Head
    next_offset: int


FROM_THE_BEGINNING: Final = Reached(GENESIS, 0)


async def find_start(topic: TopicLog, partition: int, checkpoint: Checkpoint, position: int | None) -> Reached:
    """Where to start reading, so that the admission rule yields the entries after `position`. This is the head at
    `position`, or the head of the checkpoint if the checkpoint is earlier or `position` is None. Raises `KafkaAway`,
    and `LogChanged` if the log is not the one that was projected.
    """
    first, end = await topic.bounds(partition)
    check_bounds(checkpoint.next_offset, first, end)
    if position == GENESIS.position or checkpoint.head_offset == NO_ENTRY:
        return FROM_THE_BEGINNING
    async for records in topic.records(partition, checkpoint.head_offset, checkpoint.head_offset + 1):
        check_head(checkpoint.head, checkpoint.head_offset, partition, records[0].value)
    if position is None or position >= checkpoint.head.position:
        return Reached(checkpoint.head, checkpoint.next_offset)
    return await _walk_back(topic, partition, checkpoint, position)


async def _walk_back(topic: TopicLog, partition: int, checkpoint: Checkpoint, position: int) -> Reached:
    sought, end = checkpoint.head, checkpoint.head_offset + 1
    while end > 0:
        start = max(0, end - BLOCK_RECORDS)
        block = [record async for page in topic.records(partition, start, end) for record in page]
        for record in reversed(block):
            before = _before(record, partition, sought)
            if before is not None and sought.position == position:
                return Reached(sought, record.offset + 1)
            sought = before or sought
        end = start
    raise LogChanged(f"entry {partition}.{sought.position}, which was projected, is not in the log")


def _before(record: ConsumerRecord[bytes, bytes], partition: int, sought: Head) -> Head | None:
    """The head before the record, if the record is the entry that is sought."""
    if head_of(partition, record.value) != sought:
        return None
    metadata = orjson.loads(record.value or b"")["metadata_json"]
    return Head(sought.position - 1, metadata["prev"])
