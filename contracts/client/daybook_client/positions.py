"""Positions in the log, as text: `PARTITION.NUMBER`."""

import re
from collections.abc import Iterable
from typing import Final

from daybook_client.errors import Misuse

# The number -1 means the beginning of the partition's log.
_POSITION: Final = re.compile(r"(\d{1,5})\.(-1|\d{1,18})", re.ASCII)


def by_partition(after: str | Iterable[str] | None) -> dict[int, int]:
    """The positions as a number for each partition. Raises Misuse."""
    found = dict[int, int]()
    for text in [after] if isinstance(after, str) else after or ():
        position = _POSITION.fullmatch(text)
        if position is None:
            raise Misuse(f"after: {text!r} is not a position, such as 3.1042")
        if int(position[1]) in found:
            raise Misuse(f"after: two positions of partition {position[1]}")
        found[int(position[1])] = int(position[2])
    return found
