"""Sets the offsets in the checkpoints to those in the restored topic: checkpoints in, the number that changed out."""

from collections.abc import Mapping
from typing import Final

from daybook_contracts.log.head import Checkpoint
from daybook_infra.runtime.errors import DaybookError
from daybook_infra.runtime.postgres.checkpoints import load_checkpoints
from daybook_infra.runtime.postgres.connections import connect
from daybook_infra.runtime.settings import Settings

LOCK: Final = "LOCK TABLE daybook.checkpoints IN SHARE ROW EXCLUSIVE MODE"
MOVE: Final = """
UPDATE daybook.checkpoints SET next_offset = $2, head_offset = $3, updated_at = clock_timestamp() WHERE partition = $1
"""


def restored_place(before: Checkpoint) -> Checkpoint:
    """The checkpoint with its offsets in the restored topic, where each entry's offset is its position."""
    return Checkpoint(before.head.position + 1, before.head, before.head.position)


async def set_places(settings: Settings, before: Mapping[int, Checkpoint]) -> int:
    """Returns how many checkpoints had other offsets. Raises `DatabaseAway`, and `DaybookError` if the checkpoints are
    no longer those in `before`; then nothing is changed.
    """
    async with connect(settings, "daybook-restore-topic") as connection, connection.transaction():
        await connection.execute(LOCK)
        if await load_checkpoints(connection) != before:
            raise DaybookError("the checkpoints have changed meanwhile, so a projector was running: begin again")
        moved = {partition: restored_place(each) for partition, each in before.items() if restored_place(each) != each}
        places = [(partition, each.next_offset, each.head_offset) for partition, each in moved.items()]
        await connection.executemany(MOVE, places)
    return len(moved)
