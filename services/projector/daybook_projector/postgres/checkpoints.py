"""Compares and moves partitions' checkpoints, first in every transaction that projects. For a worker that has lost its
partition the comparison fails, so the worker writes nothing.
"""

from collections.abc import Sequence

from daybook_contracts.log.head import NOTHING_PROJECTED, Checkpoint
from daybook_infra.runtime.postgres.connections import Connection
from daybook_projector.partition.machine import Batch

MOVE_CHECKPOINT = """
UPDATE daybook.checkpoints
   SET next_offset = $5, position = $6, hash = $7, head_offset = $8, updated_at = clock_timestamp()
 WHERE partition = $1 AND next_offset = $2 AND position = $3 AND hash = $4
"""
# A partition without a row is not projected yet. If two workers insert the row, the second one waits, and then finds a
# moved checkpoint.
INSERT_CHECKPOINT = """
INSERT INTO daybook.checkpoints (partition, next_offset, position, hash, head_offset, updated_at)
VALUES ($1, 0, -1, repeat('0', 64), -1, clock_timestamp()) ON CONFLICT DO NOTHING
"""
# Leaves out the checkpoints that other transactions have locked. So a group never waits for another projector, for a
# healing or for a rebuild. The timeouts are set for the rest of the transaction: they limit how long a locked row of
# one partition can hold up the whole group.
MOVE_CHECKPOINTS = """
WITH free AS (
    SELECT moved.* FROM daybook.checkpoints AS c
      JOIN unnest($1::integer[], $2::bigint[], $3::bigint[], $4::text[], $5::bigint[], $6::bigint[], $7::text[],
                  $8::bigint[]) AS moved (partition, from_offset, from_position, from_hash, next_offset, position, hash,
                                          head_offset) USING (partition)
     WHERE c.next_offset = from_offset AND c.position = from_position AND c.hash = from_hash
       FOR UPDATE OF c SKIP LOCKED
)
UPDATE daybook.checkpoints AS c
   SET next_offset = free.next_offset, position = free.position, hash = free.hash, head_offset = free.head_offset,
       updated_at = clock_timestamp()
  FROM free WHERE c.partition = free.partition
RETURNING c.partition, set_config('lock_timeout', $9, true), set_config('statement_timeout', $10, true)
"""
GROUP_LOCK_MS, GROUP_STATEMENT_MS = "500", "5000"


class CheckpointLost(Exception):
    """Another process has moved the checkpoint, or this process has, with a commit whose answer was lost."""


async def move_checkpoint(connection: Connection, partition: int, before: Checkpoint, after: Checkpoint) -> None:
    """Holds the row's lock until the transaction ends. Raises `CheckpointLost`."""
    if before == NOTHING_PROJECTED:
        await connection.execute(INSERT_CHECKPOINT, partition)
    tag = await connection.execute(MOVE_CHECKPOINT, partition, *_column_values(before)[:3], *_column_values(after))
    if tag != "UPDATE 1":
        raise CheckpointLost(f"partition {partition} is no longer at offset {before.next_offset}")


async def move_free_checkpoints(connection: Connection, batches: Sequence[Batch]) -> frozenset[int]:
    """Moves the checkpoints of these batches, all of different partitions, and returns the partitions whose checkpoints
    were moved. The checkpoints of the others are locked or lost, or do not exist yet. Holds the rows' locks until the
    transaction ends.
    """
    befores = zip(*(_column_values(batch.before)[:3] for batch in batches), strict=True)
    afters = zip(*(_column_values(batch.after) for batch in batches), strict=True)
    partitions = [batch.partition for batch in batches]
    limits = GROUP_LOCK_MS, GROUP_STATEMENT_MS
    return frozenset(row[0] for row in await connection.fetch(MOVE_CHECKPOINTS, partitions, *befores, *afters, *limits))


def _column_values(checkpoint: Checkpoint) -> tuple[int, int, str, int]:
    return checkpoint.next_offset, checkpoint.head.position, checkpoint.head.hash, checkpoint.head_offset
