"""Takes a partition over: makes the shard's memory from a checkpoint and the log after it."""

from orjson import loads

from daybook_command.shard.effects import Report
from daybook_command.shard.events import TakenOver
from daybook_command.shard.memory import Memory
from daybook_command.shard.org_cache import OrgCache
from daybook_contracts.log.continuity import check_bounds, check_head
from daybook_contracts.timestamps import microseconds


def take_over(event: TakenOver, partition: int, cache_bytes: int) -> tuple[Memory, list[Report]]:
    """Fold the log after the checkpoint. Raises LogChanged if the log and the checkpoint contradict each other."""
    checkpoint = event.checkpoint
    check_bounds(checkpoint.next_offset, event.log_start, event.log_end)
    memory = Memory(partition, OrgCache(cache_bytes), head=checkpoint.head, end=checkpoint.next_offset)
    memory.tail.pruned_position = checkpoint.head.position
    memory.head_offset = checkpoint.head_offset
    if checkpoint.head_offset >= 0:
        value = event.records[0].value if event.records else None
        check_head(checkpoint.head, checkpoint.head_offset, partition, value)
        memory.last_us = stamped_at(value or b"")
    reports = memory.fold(record for record in event.records if record.offset >= checkpoint.next_offset)
    return memory, reports


def stamped_at(value: bytes) -> int:
    """`created_at` of an admitted record in microseconds; 0 if it cannot be read."""
    try:
        return microseconds(loads(value)["created_at"])
    except (KeyError, TypeError, ValueError):
        return 0
