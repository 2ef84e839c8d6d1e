"""Tables in memory that take net changes and refuse what PostgreSQL would refuse: a taken key, a missing row or parent,
a unique value that another row has. Deleting a row deletes its children.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import assert_never

from daybook_projector.projections.changes import (
    Change,
    Delete,
    FoldError,
    Insert,
    Key,
    NetChange,
    Replace,
    Row,
    Table,
    Transient,
    Update,
    net_effect,
)
from daybook_projector.projections.write_phases import Owner, write_phases


class RowTables:
    def __init__(self, tables: Iterable[Table], rows: Mapping[Table, Sequence[Row]] | None = None) -> None:
        """`tables`: parents before children."""
        self.rows: dict[str, dict[Key, Row]] = {table.name: {} for table in tables}
        self._tables = tuple(tables)
        for table, present in (rows or {}).items():
            self.rows[table.name] = {table.key_of(row): row for row in present}

    def try_batches(self, batches: Iterable[Sequence[tuple[Owner, Change]]]) -> bool:
        """Applies the batches until one is refused. Returns whether all were applied."""
        try:
            for batch in batches:
                for phase in write_phases(batch):
                    self.apply(net_effect(phase))
        except FoldError:
            return False
        return True

    def apply(self, changes: Iterable[NetChange]) -> None:
        """Applies the changes in the order of the projector's statements: insert, update, delete, insert again."""
        net = list(changes)
        for table in self._tables:
            for change in net:
                if change.table is table and (row := row_to_insert_first(change)) is not None:
                    self._insert(table, row)
        for change in net:
            if isinstance(change, Update):
                self._update(change)
        for table in reversed(self._tables):
            for change in net:
                if change.table is table and isinstance(change, Delete | Transient | Replace):
                    self._delete(table, change.key)
        for change in net:
            if isinstance(change, Replace):
                self._insert(change.table, change.row)

    def _insert(self, table: Table, row: Row) -> None:
        rows, key = self.rows[table.name], table.key_of(row)
        _expect(key not in rows, f"{key} is taken")
        _expect(not _has_taken_value(table.unique, row, rows.values()), f"{key} has a taken value")
        if table.cascades_from is not None:
            column, parent = table.cascades_from
            _expect((row[column],) in self.rows[parent.name], f"{key} has no parent")
        rows[key] = row

    def _update(self, change: Update) -> None:
        rows = self.rows[change.table.name]
        _expect(change.key in rows, f"{change.key} is missing")
        row = rows[change.key]
        rows[change.key] = {**row, **change.values, **{c: int(row[c] or 0) + n for c, n in change.added.items()}}

    def _delete(self, table: Table, key: Key) -> None:
        _expect(key in self.rows[table.name], f"{key} is missing")
        del self.rows[table.name][key]
        self._cascade(table, key)

    def _cascade(self, parent: Table, key: Key) -> None:
        for table in self._tables:
            if table.cascades_from is not None and table.cascades_from[1] is parent:
                column, rows = table.cascades_from[0], self.rows[table.name]
                self.rows[table.name] = {own: row for own, row in rows.items() if (row[column],) != key}


def row_to_insert_first(change: NetChange) -> Row | None:
    """The row that the change inserts before any row is deleted, or None."""
    match change:
        case Insert() | Transient():
            return change.row
        case Replace():
            return change.first
        case Update() | Delete():
            return None
        case _:
            assert_never(change)


def _expect(fits: bool, why_not: str) -> None:  # noqa: FBT001 - the condition itself is the argument
    if not fits:
        raise FoldError(why_not)


def _has_taken_value(unique: Sequence[str], new: Row, rows: Iterable[Row]) -> bool:
    return bool(unique) and any(all(row[column] == new[column] for column in unique) for row in rows)
