"""Where a tail begins: positions and checkpoints as text in, by partition out.

A position is written `PARTITION.NUMBER`, and a checkpoint `PARTITION.NUMBER:OFFSET:HASH`: a position with the offset of
its record in Kafka and the entry's hash.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from daybook_client.errors import Misuse

START: Final = "start"
"""Stands for the beginning of each partition that no other text names."""

# The number -1 means the beginning of the partition's log.
_PLACE: Final = re.compile(r"(\d{1,5})\.(?:(-1|\d{1,18})|(\d{1,18}):(\d{1,18}):([0-9a-f]{64}))", re.ASCII)


@dataclass(frozen=True, slots=True)
class After:
    """The last entry that is not yielded: its number, and its offset and hash if they are known."""

    number: int
    offset: int | None = None
    hash: str = ""


BEGINNING: Final = After(-1)


@dataclass(frozen=True, slots=True)
class Starts:
    """`others`: where to begin in partitions that are not in `places`; None: with the next new entry."""

    places: dict[int, After]
    others: After | None

    def of(self, partition: int) -> After | None:
        return self.places.get(partition, self.others)


def parse_starts(after: str | Iterable[str] | None) -> Starts:
    """Raises Misuse."""
    found, others = dict[int, After](), None
    for text in [after] if isinstance(after, str) else after or ():
        if text == START:
            others = BEGINNING
            continue
        place = _PLACE.fullmatch(text)
        if place is None:
            raise Misuse(f"after: {text!r} is neither a position, such as 3.1042, nor a checkpoint, nor {START!r}")
        if int(place[1]) in found:
            raise Misuse(f"after: two positions of partition {place[1]}")
        found[int(place[1])] = After(int(place[2])) if place[2] else After(int(place[3]), int(place[4]), place[5])
    return Starts(found, others)


def checkpoint_text(position: str, offset: int, entry_hash: str) -> str:
    return f"{position}:{offset}:{entry_hash}"
