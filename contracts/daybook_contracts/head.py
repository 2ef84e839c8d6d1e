"""The end of a partition's log as a reader or writer knows it. Two values, nothing else."""

from dataclasses import dataclass
from typing import Final

from daybook_contracts.hashing import ZERO_HASH


@dataclass(frozen=True, slots=True)
class Head:
    """Position and hash of the last admitted entry; the next one has `position + 1` and this hash as `prev`."""

    position: int
    hash: str


GENESIS: Final = Head(-1, ZERO_HASH)
"""The head of an empty log."""
