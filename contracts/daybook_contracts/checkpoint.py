"""What is projected of a partition: stored in the transaction that projects it, compared before it is moved."""

from dataclasses import dataclass
from typing import Final

from daybook_contracts.head import GENESIS, Head

NO_ENTRY: Final = -1


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Everything below `next_offset` is projected; `head` is the last entry of it and stands at `head_offset`."""

    next_offset: int
    head: Head
    head_offset: int

    @property
    def first_to_read(self) -> int:
        """The head is read once more, to see that the log is still the one that was projected."""
        return self.next_offset if self.head_offset == NO_ENTRY else self.head_offset


NOTHING_PROJECTED: Final = Checkpoint(0, GENESIS, NO_ENTRY)
