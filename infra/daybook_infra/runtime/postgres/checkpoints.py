"""Reads the stored checkpoints: partitions in, checkpoints out. The projector alone writes them."""

from collections.abc import Collection
from typing import Final

from daybook_contracts.log.head import NOTHING_PROJECTED, Checkpoint, Head
from daybook_infra.runtime.postgres.connections import Connection, Pool

# NULL selects all partitions.
CHECKPOINTS: Final = """
SELECT partition, next_offset, position, hash, head_offset FROM daybook.checkpoints
 WHERE $1::int[] IS NULL OR partition = ANY ($1::int[])
"""


async def load_checkpoints(
    connection: Connection | Pool, partitions: Collection[int] | None = None
) -> dict[int, Checkpoint]:
    """The stored checkpoints by partition: of the given partitions, or of all. Wrap the call in `translated`."""
    rows = await connection.fetch(CHECKPOINTS, None if partitions is None else list(partitions))
    return {
        row["partition"]: Checkpoint(row["next_offset"], Head(row["position"], row["hash"]), row["head_offset"])
        for row in rows
    }


async def load_checkpoint(connection: Connection | Pool, partition: int) -> Checkpoint:
    """The partition's checkpoint; NOTHING_PROJECTED if none is stored. Wrap the call in `translated`."""
    return (await load_checkpoints(connection, [partition])).get(partition, NOTHING_PROJECTED)
