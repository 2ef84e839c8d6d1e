"""Whether the reservations of chosen ids can be relied on. After a loss or a restore of PostgreSQL they are behind the
log until every partition is projected up to where it ended at the shard's takeover (docs/log.md, rule 18).
"""

from collections.abc import Mapping, Sequence
from itertools import takewhile
from typing import Final

from daybook_command.shard.intake import Taken
from daybook_command.shard.needs import reserves

WAITING: Final = "a command that chooses its ids waits until all partitions are projected"


def still_awaited(awaited: Mapping[int, int], next_offsets: Mapping[int, int]) -> dict[int, int]:
    """The partitions whose checkpoint has not passed the end that is awaited of them."""
    return {partition: end for partition, end in awaited.items() if next_offsets.get(partition, 0) < end}


def without_chosen_ids(taken: Sequence[Taken]) -> int:
    """How many of the first commands choose no id."""
    return sum(1 for _ in takewhile(lambda item: not reserves(item), taken))
