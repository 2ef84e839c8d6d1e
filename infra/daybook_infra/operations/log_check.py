"""Checks that the log is still the one that was projected: checkpoints in, the faults of partitions out. `daybook
status` uses this module; services do the same check when they take a partition over. Read-only.
"""

import asyncio
from collections.abc import Mapping

from aiokafka import AIOKafkaConsumer, TopicPartition

from daybook_contracts.log.continuity import LogChanged, check_bounds, check_head
from daybook_contracts.log.head import Checkpoint

READ_SECONDS = 10.0
POLL_MS = 200
POLL_RECORDS = 1_000

Bounds = Mapping[int, tuple[int, int]]


async def find_log_faults(
    reader: AIOKafkaConsumer, topic: str, bounds: Bounds, checkpoints: Mapping[int, Checkpoint]
) -> dict[int, str]:
    """Faults by partition, in the services' words. `bounds`: first and next offset of each partition of the log."""
    faults: dict[int, str] = {}
    for partition, (start, end) in bounds.items():
        checkpoint = checkpoints.get(partition)
        try:
            check_bounds(0 if checkpoint is None else checkpoint.next_offset, start, end)
        except LogChanged as changed:
            faults[partition] = str(changed)
    continuous = {number: each for number, each in checkpoints.items() if number in bounds and number not in faults}
    return faults | await _head_faults(reader, topic, continuous)


async def _head_faults(reader: AIOKafkaConsumer, topic: str, checkpoints: Mapping[int, Checkpoint]) -> dict[int, str]:
    faults: dict[int, str] = {}
    heads = {number: each for number, each in checkpoints.items() if each.head_offset >= 0}
    values = await _read_values(reader, topic, {number: each.head_offset for number, each in heads.items()})
    for partition, checkpoint in heads.items():
        try:
            check_head(checkpoint.head, checkpoint.head_offset, partition, values.get(partition))
        except LogChanged as changed:
            faults[partition] = str(changed)
    return faults


async def _read_values(reader: AIOKafkaConsumer, topic: str, offsets: Mapping[int, int]) -> dict[int, bytes | None]:
    """The values of the records at these offsets, which must lie below the end of their partition."""
    values: dict[int, bytes | None] = {}
    left = {TopicPartition(topic, partition): offset for partition, offset in offsets.items()}
    reader.assign(list(left))
    for place, offset in left.items():
        reader.seek(place, offset)
    async with asyncio.timeout(READ_SECONDS):
        while left:
            for place, records in (await reader.getmany(*left, timeout_ms=POLL_MS, max_records=POLL_RECORDS)).items():
                if records[0].offset == left[place]:
                    values[place.partition] = records[0].value
            for place in [place for place, offset in left.items() if await reader.position(place) > offset]:
                del left[place]
    return values
