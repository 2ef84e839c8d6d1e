"""Checks a snapshot before a batch is decided on it: the checkpoint against the shard's memory, and the clocks."""

from daybook_command.shard.memory import Memory
from daybook_contracts.log.head import Checkpoint

# The shard appends nothing if its clock differs from PostgreSQL's by more than MAX_CLOCK_SKEW_US, or if the time of the
# log's last entry is ahead of its clock by more than MAX_STAMP_AHEAD_US.
MAX_CLOCK_SKEW_US = 5_000_000
MAX_STAMP_AHEAD_US = 60_000_000


def checkpoint_fault(memory: Memory, checkpoint: Checkpoint) -> str | None:
    """Why checkpoint and memory contradict each other, so that the shard must take over again; None if they agree.

    If the checkpoint is behind entries that the memory has dropped, PostgreSQL was restored or failed over. If it is
    ahead of the entries that the memory has folded, another instance writes to the partition.
    """
    projected = checkpoint.head
    if projected.position < memory.tail.pruned_position:
        return f"PostgreSQL went back to position {projected.position}"
    if projected.position > memory.head.position:
        return f"PostgreSQL knows position {projected.position}, this shard only {memory.head.position}"
    at_head = projected.position == memory.head.position
    known = memory.head.hash if at_head else memory.tail.hash_at(projected.position)
    if known is not None and known != projected.hash:
        return f"PostgreSQL has another entry at position {projected.position}"
    return None


def clock_fault(memory: Memory, now_us: int, database_us: int) -> str | None:
    """Why the shard must not append at the time `now_us`; None if it may. Times are in microseconds since 1970."""
    skewed = skew_fault(now_us, database_us)
    if skewed is not None:
        return skewed
    ahead = memory.last_us + 1 - now_us
    if ahead > MAX_STAMP_AHEAD_US:
        return f"the log's last entry is stamped {ahead / 1e6:.1f} s past this clock"
    return None


def skew_fault_between(asked_us: int, answered_us: int, database_us: int) -> str | None:
    """The skew fault of a clock query. PostgreSQL read its clock at some time between `asked_us` and `answered_us`, so
    a slow answer does not count as skew.
    """
    return skew_fault(min(max(asked_us, database_us), answered_us), database_us)


def skew_fault(now_us: int, database_us: int) -> str | None:
    skew = now_us - database_us
    return f"the clock is {skew / 1e6:+.1f} s off PostgreSQL's" if abs(skew) > MAX_CLOCK_SKEW_US else None
