"""Finds where to begin to follow the log: the requested positions in, a place for each partition out. With a stored
checkpoint, the log need not be read from its beginning.
"""

from collections.abc import Callable, Iterable, Mapping

from daybook_contracts.log.head import NOTHING_PROJECTED, Checkpoint
from daybook_infra.runtime.errors import DatabaseAway, SettingsError
from daybook_infra.runtime.postgres.checkpoints import load_checkpoints
from daybook_infra.runtime.postgres.connections import connect
from daybook_infra.runtime.settings import Settings
from daybook_projector.audit.exports.tail import LogReading, naming
from daybook_projector.audit.log.earlier_heads import find_start
from daybook_projector.audit.log.topic import open_topic


async def find_places(
    settings: Settings, partitions: Iterable[int], positions: Mapping[int, int], say: Callable[[str], object]
) -> dict[int, LogReading]:
    """Partitions without a position begin with the next entry that is appended. Raises `KafkaAway`, and `LogChanged`
    if the log is not the one that was projected.
    """
    checkpoints = await _checkpoints(settings, say)
    async with open_topic(settings) as topic:
        places = {}
        for partition in partitions:
            position = positions.get(partition)
            with naming(partition):
                reached = await find_start(topic, partition, checkpoints.get(partition, NOTHING_PROJECTED), position)
            shown_offset = (await topic.bounds(partition))[1] if position is None else 0
            places[partition] = LogReading(
                *reached, shown_position=-1 if position is None else position, shown_offset=shown_offset
            )
        return places


async def _checkpoints(settings: Settings, say: Callable[[str], object]) -> dict[int, Checkpoint]:
    try:
        async with connect(settings, "daybook-audit") as connection:
            return await load_checkpoints(connection)
    except (DatabaseAway, SettingsError) as away:
        say(f"{away}; reading the log from its beginning")
        return {}
