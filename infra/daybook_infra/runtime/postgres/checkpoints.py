"""Reads the stored checkpoints: partitions in, checkpoints out. The projector alone writes them."""

from collections.abc import Collection, Iterable
from typing import Any, Final

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
    return checkpoints_of(await connection.fetch(CHECKPOINTS, None if partitions is None else list(partitions)))


def checkpoints_of(rows: Iterable[Any]) -> dict[int, Checkpoint]:
    """The checkpoints in rows of CHECKPOINTS, by partition."""
    return {
        partition: Checkpoint(next_offset, Head(position, hash_), head_offset)
        for partition, next_offset, position, hash_, head_offset in rows
    }


async def load_checkpoint(connection: Connection | Pool, partition: int) -> Checkpoint:
    """The partition's checkpoint; NOTHING_PROJECTED if none is stored. Wrap the call in `translated`."""
    return (await load_checkpoints(connection, [partition])).get(partition, NOTHING_PROJECTED)
