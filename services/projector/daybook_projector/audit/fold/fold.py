"""Folds one partition's log into rows on disk, independently of the projector: entries in, poison out, then the rows
of each table in key order. Only the projections' rules are shared with the projector.

Each entry is applied whole or not at all, so the boundaries of pages make no difference. An org's first entry that
cannot be applied, and its later ones, only insert orgs and projects, as in quarantine (docs/log.md, rule 13).
Two reasons for quarantine are not detected: a user who is missing, because users may be in another partition, and a key
name that is too long for PostgreSQL's index.
"""

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from heapq import merge
from pathlib import Path
from typing import Any, Final

from daybook_projector.audit.fold.kept_rows import kept_rows
from daybook_projector.audit.fold.row_cache import RowCache
from daybook_projector.audit.fold.storable import NUL_ESCAPE, require_storable
from daybook_projector.audit.fold.store import RowStore
from daybook_projector.partition.batch_rows import Poison, entry_changes
from daybook_projector.partition.entry import PartitionEntry
from daybook_projector.projections.changes import FoldError, Key, Row, Table
from daybook_projector.projections.fold import Folds

CHANGING_KIB: Final = 16 * 1024
READING_KIB: Final = 1024
"""The sizes of the SQLite cache: while entries are taken, and while rows are read in order."""

NO_ORG: Final = ""
"""The org of a `Poison` whose entry names none. Such an entry quarantines no org: it stops its partition."""

MAX_HELD: Final = 8 * 1024 * 1024
"""When entries and rows in memory have more characters than this, the rows are written to disk. The metadata of an
entry holds all values of the rows that it inserts.
"""


class PartitionFold:
    """`folder` may have the files of an earlier fold of the partition, which is then continued. `frozen`: for each org
    in quarantine, in lower case, the position of its poison entry. Use it in one thread at a time.
    """

    def __init__(
        self,
        folder: Path,
        partition: int,
        folds: Folds,
        frozen: Mapping[str, int] | None = None,
        *,
        max_held: int = MAX_HELD,
    ) -> None:
        self._folds = folds
        self._store = RowStore(folder / f"partition-{partition:04}.sqlite")
        self._rows = RowCache(self._store)
        self._max_held = max_held
        self._frozen = self._store.frozen()
        for org_id, position in (frozen or {}).items():
            self._freeze(org_id, position)

    def take(self, entries: Sequence[PartitionEntry]) -> list[Poison]:
        """Takes the next entries of the log. Returns each org's first entry that cannot be applied, and every such
        entry without an org, under `NO_ORG`.
        """
        self._store.set_cache(CHANGING_KIB)
        found: list[Poison] = []
        for entry in entries:
            poison = self._take(entry)
            if poison is not None:
                found.append(poison)
            self._rows.held += len(entry.metadata)
            self._bound()
        return found

    def has_applied(self, entry: PartitionEntry) -> bool:
        """Whether this entry, which was taken, comes before the position from which its org is frozen."""
        position = entry.head.position
        return entry.org_id is None or position < self._frozen.get(entry.org_id, position + 1)

    def rows(self, table: Table) -> Iterator[tuple[bytes, bytes]]:
        """Key and JCS of each row, in key order. A key is the bytes of its uuids, one after another."""
        self._prepare_scan()
        return self._store.scan(table)

    def stored_rows(self, table: Table) -> Iterator[tuple[Any, ...]]:
        """The key's bytes and the other columns of each row, in key order. Values as in `find`; booleans are 0 or 1."""
        self._prepare_scan()
        return self._store.stored(table)

    def find(self, table: Table, key: Key) -> Row | None:
        """The row with this key, with JSON columns as JCS text."""
        self._bound()
        return self._rows.find(table, key)

    def close(self) -> None:
        """Leaves the files in the folder."""
        self._rows.write()
        self._store.close()

    def _take(self, entry: PartitionEntry) -> Poison | None:
        org_id, position = entry.org_id, entry.head.position
        if entry.poison is not None and org_id is not None:
            org_id = org_id.lower()
        if org_id is not None and position >= self._frozen.get(org_id, position + 1):
            return self._keep_keys(entry, org_id)
        try:
            has_nul = NUL_ESCAPE in entry.metadata
            for change in entry_changes(self._folds, entry):
                if has_nul:
                    require_storable(change)
                self._rows.apply(change)
        except FoldError as error:
            self._rows.undo()
            if org_id is None:
                return Poison(NO_ORG, position, str(error))
            self._freeze(org_id, position)
            self._keep_keys(entry, org_id)
            return Poison(org_id, position, str(error))
        self._rows.keep()
        return None

    def _keep_keys(self, entry: PartitionEntry, org_id: str) -> Poison | None:
        """An org or project that exists already stays as it is."""
        try:
            for insert in kept_rows(entry):
                require_storable(insert)
                if self._rows.find(insert.table, insert.key) is None:
                    self._rows.apply(insert)
        except FoldError as error:
            self._rows.undo()
            return Poison(org_id, entry.head.position, f"audit_log cannot keep it: {error}")
        self._rows.keep()
        return None

    def _freeze(self, org_id: str, position: int) -> None:
        self._frozen[org_id] = min(position, self._frozen.get(org_id, position))
        self._store.freeze(org_id, self._frozen[org_id])

    def _bound(self) -> None:
        if self._rows.held > self._max_held:
            self._rows.empty()

    def _prepare_scan(self) -> None:
        """Limits the memory of this fold, because many folds may be read at the same time."""
        self._rows.empty()
        self._store.set_cache(READING_KIB)


def merged_rows(folds: Iterable[PartitionFold], table: Table) -> Generator[tuple[bytes, bytes], None, None]:
    """The rows of several partitions, in key order. If two partitions have different rows with the same key, both are
    yielded, although a table cannot have both. Close the generator before the folds.
    """
    last: tuple[bytes, bytes] | None = None
    for row in merge(*(fold.rows(table) for fold in folds)):
        if row != last:
            yield row
        last = row
