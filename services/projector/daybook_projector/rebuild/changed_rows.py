"""Updates shadow tables after their fold has taken more entries: finds the keys of the rows that these entries may
change, and writes the fold's rows with these keys.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

from daybook_infra.runtime.postgres.connections import Connection
from daybook_projector.audit.fold.fold import PartitionFold
from daybook_projector.audit.fold.kept_rows import kept_rows
from daybook_projector.partition.batch_rows import entry_changes
from daybook_projector.partition.entry import PartitionEntry
from daybook_projector.postgres import statements as sql
from daybook_projector.projections.changes import Delete, FoldError, Key, Row, Table
from daybook_projector.projections.fold import Folds
from daybook_projector.rebuild.shadow_tables import ShadowTables

CHUNK_ROWS: Final = 1000


class TouchedRows:
    """The keys of the rows that entries may change, even if the entries cannot be applied. Omits rows that a foreign
    key deletes by cascade: the shadow tables have the same foreign keys. `deleted`: the keys of rows that were deleted,
    also if they were inserted again later.
    """

    def __init__(self, folds: Folds, fold: PartitionFold) -> None:
        self._folds = folds
        self._fold = fold
        self.keys: dict[Table, set[Key]] = defaultdict(set)
        self.deleted: dict[Table, set[Key]] = defaultdict(set)

    def note(self, entries: Iterable[PartitionEntry]) -> None:
        """Takes entries that the fold has taken already."""
        for entry in entries:
            try:
                for change in entry_changes(self._folds, entry):
                    self.keys[change.table].add(change.key)
                    if isinstance(change, Delete) and self._fold.has_applied(entry):
                        self.deleted[change.table].add(change.key)
            except FoldError:
                pass
            try:
                for insert in kept_rows(entry):
                    self.keys[insert.table].add(insert.key)
            except FoldError:
                pass


async def write_touched(
    connection: Connection, shadows: ShadowTables, fold: PartitionFold, touched: TouchedRows
) -> None:
    """Writes the fold's touched rows to the shadows, and notes the touched keys for the correction. Deletes come first,
    children before parents, because a deleted row may have a unique value that another row gets. A row that was deleted
    and inserted again is deleted too, because its children were deleted with it.
    """
    present: dict[Table, list[Row]] = defaultdict(list)
    for table in reversed(shadows.tables):
        keys = sorted(touched.keys[table], key=str)
        rows = {key: row for key in keys if (row := fold.find(table, key)) is not None}
        present[table] = list(rows.values())
        await _note(connection, table, shadows, keys)
        deleted = touched.deleted[table]
        gone = keys if table.unique else [key for key in keys if key in deleted or key not in rows]
        await _run(connection, sql.delete(shadows.of(table)), gone)
    for table in shadows.tables:
        values = [tuple(row[column] for column in table.columns) for row in present[table]]
        await _run(connection, _upsert(shadows.of(table)), values)


async def _note(connection: Connection, table: Table, shadows: ShadowTables, keys: Sequence[Key]) -> None:
    columns = ", ".join(table.key)
    arrays = ", ".join(f"${number}::uuid[]" for number in range(1, 1 + len(table.key)))
    statement = f"INSERT INTO {shadows.keys(table)} ({columns}) SELECT * FROM unnest({arrays}) ON CONFLICT DO NOTHING"  # noqa: S608 - names of our own tables
    await _run(connection, statement, keys)


async def _run(connection: Connection, statement: str, rows: Sequence[Sequence[object]]) -> None:
    for start in range(0, len(rows), CHUNK_ROWS):
        await connection.execute(statement, *zip(*rows[start : start + CHUNK_ROWS], strict=True))


def _upsert(table: Table) -> str:
    changes = ", ".join(f"{column} = excluded.{column}" for column in table.columns if column not in table.key)
    return f"{sql.insert(table)} ON CONFLICT ({', '.join(table.key)}) DO UPDATE SET {changes}"
