"""Compares and moves a partition's checkpoint, first in every transaction that projects. For a worker that has lost its
partition the comparison fails, so the worker writes nothing.
"""

from daybook_contracts.log.head import NOTHING_PROJECTED, Checkpoint
from daybook_infra.runtime.postgres.connections import Connection

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


class CheckpointLost(Exception):
    """Another process has moved the checkpoint, or this process has, with a commit whose answer was lost."""


async def move_checkpoint(connection: Connection, partition: int, before: Checkpoint, after: Checkpoint) -> None:
    """Holds the row's lock until the transaction ends. Raises `CheckpointLost`."""
    if before == NOTHING_PROJECTED:
        await connection.execute(INSERT_CHECKPOINT, partition)
    tag = await connection.execute(MOVE_CHECKPOINT, partition, *_column_values(before)[:3], *_column_values(after))
    if tag != "UPDATE 1":
        raise CheckpointLost(f"partition {partition} is no longer at offset {before.next_offset}")


def _column_values(checkpoint: Checkpoint) -> tuple[int, int, str, int]:
    return checkpoint.next_offset, checkpoint.head.position, checkpoint.head.hash, checkpoint.head_offset
