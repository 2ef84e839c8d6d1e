"""Folds pages of entries: entries in; their number, and the first entry that cannot be applied, out."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

from daybook_projector.audit.fold.fold import PartitionFold
from daybook_projector.partition.entry import PartitionEntry
from daybook_projector.rebuild.refusal import Unappliable, unappliable

Page = Sequence[PartitionEntry]


@dataclass(frozen=True, slots=True)
class Folded:
    entries: int
    unappliable: Unappliable | None


async def fold_pages(
    pages: AsyncIterator[list[PartitionEntry]],
    fold: PartitionFold,
    partition: int,
    *notes: Callable[[Page], None],
) -> Folded:
    """Reads all pages, even after an entry that cannot be applied, because a read from PostgreSQL cannot be stopped
    half-way. Calls each of the `notes` with every page.
    """
    entries, first = 0, None
    async for page in pages:
        poison = fold.take(page)
        if poison and first is None:
            entry = next(entry for entry in page if entry.head.position == poison[0].position)
            first = unappliable(partition, entry, poison[0].reason)
        for note in notes:
            note(page)
        entries += len(page)
    return Folded(entries, first)
