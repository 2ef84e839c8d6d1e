"""How far a partition's log has come (the head), and how far it is projected (the checkpoint)."""

from typing import Final

from msgspec import Struct

from daybook_contracts.entries.hashing import ZERO_HASH


class Head(Struct, frozen=True, gc=False):
    """Position and hash of the last admitted entry; the next one has `position + 1` and this hash as `prev`."""

    position: int
    hash: str


GENESIS: Final = Head(-1, ZERO_HASH)
"""The head of an empty log."""

NO_ENTRY: Final = -1


class Checkpoint(Struct, frozen=True, gc=False):
    """All records below `next_offset` are projected. `head` is the last entry among them, at `head_offset`."""

    next_offset: int
    head: Head
    head_offset: int

    @property
    def first_to_read(self) -> int:
        """The offset from which to read. If there is a head, this is its offset, because the reader must check that the
        head is still there.
        """
        return self.next_offset if self.head_offset == NO_ENTRY else self.head_offset


NOTHING_PROJECTED: Final = Checkpoint(0, GENESIS, NO_ENTRY)
