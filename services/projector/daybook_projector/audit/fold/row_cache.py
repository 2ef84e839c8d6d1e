"""The rows that a fold works on, in memory between reads and writes of its store. Changes come in one by one. A change
is refused if PostgreSQL would refuse it: for a taken key or unique value, a missing row or parent, or a value that its
column cannot hold. Memory is bounded.
"""

from collections.abc import Mapping
from typing import Final, assert_never

from daybook_projector.audit.fold.parents import PARENTS
from daybook_projector.audit.fold.store import RowStore, StoredRow
from daybook_projector.projections.changes import Change, Delete, FoldError, Insert, Key, Row, Table, Update, Value
from daybook_projector.projections.fold import TABLES

LARGEST_INTEGER: Final = 2**31 - 1
"""The largest value of a column of type integer."""

ROW_CHARACTERS: Final = 500
"""How many characters to count for a row in addition to its text."""

_CHILDREN: Final[Mapping[Table, tuple[Table, ...]]] = {
    parent: tuple(table for table in TABLES if table.cascades_from is not None and table.cascades_from[1] is parent)
    for parent in TABLES
}
_INTEGERS: Final[Mapping[Table, tuple[str, ...]]] = {
    table: tuple(column for column, sql_type in table.columns.items() if sql_type == "integer") for table in TABLES
}

UniqueValue = tuple[Table, tuple[Value, ...]]
"""A table and the values of its `unique` columns. No update changes these values."""


class MadeKeys:
    """A Bloom filter of the keys of all rows ever inserted, so that most new rows need no look-up on disk. Its size is
    fixed: with ten million keys, one new row in seven is looked up unnecessarily.
    """

    def __init__(self, *, is_complete: bool) -> None:
        """`is_complete`: all rows will be added. If not, `may_have` is true for every key."""
        self._bits = bytearray(2**23 if is_complete else 0)

    def add(self, key: Key) -> None:
        if self._bits:
            bit = hash(key)
            self._bits[bit >> 3 & 0x7FFFFF] |= 1 << (bit & 7)

    def may_have(self, key: Key) -> bool:
        bit = hash(key)
        return not self._bits or self._bits[bit >> 3 & 0x7FFFFF] >> (bit & 7) & 1 == 1


class RowCache:
    """`keep` or `undo` ends a group of changes, which are those of one entry. `held`: how many characters of rows are
    in memory. The caller adds the characters of the changes that it applies.
    """

    def __init__(self, store: RowStore) -> None:
        self.held = 0
        self._store = store
        self._made = MadeKeys(is_complete=store.is_new)
        self._rows: dict[Table, dict[Key, StoredRow]] = {table: {} for table in TABLES}
        self._unwritten: dict[Table, set[Key]] = {table: set() for table in TABLES}
        self._taken: dict[UniqueValue, bool] = {}
        self._before: list[tuple[Table, Key, StoredRow]] = []
        self._deleted_parents: list[tuple[Table, Key]] = []

    def find(self, table: Table, key: Key) -> StoredRow:
        rows = self._rows[table]
        if key in rows:
            return rows[key]
        row = rows[key] = self._store.read(table, key) if self._made.may_have(key) else None
        if row is not None:
            self.held += ROW_CHARACTERS + sum(len(value) for value in row.values() if isinstance(value, str))
        return row

    def apply(self, change: Change) -> None:
        """Raises `FoldError`."""
        match change:
            case Insert():
                self._insert(change.table, change.key, change.row)
            case Update():
                self._update(change)
            case Delete():
                self._delete(change.table, change.key)
            case _:
                assert_never(change)

    def keep(self) -> None:
        """Also deletes the rows that a delete of this group cascades to."""
        self._before.clear()
        if self._deleted_parents:
            self._cascade()

    def undo(self) -> None:
        for table, key, row in reversed(self._before):
            self._note_unique(table, self._rows[table][key], row)
            self._rows[table][key] = row
        self._before.clear()
        self._deleted_parents.clear()

    def write(self) -> None:
        """Writes what has changed."""
        unwritten = {table: keys for table, keys in self._unwritten.items() if keys}
        self._store.write({table: {key: self._rows[table][key] for key in keys} for table, keys in unwritten.items()})
        for keys in unwritten.values():
            keys.clear()
        self._taken.clear()

    def empty(self) -> None:
        """Writes what has changed, and forgets all rows."""
        self.write()
        for rows in self._rows.values():
            rows.clear()
        self.held = 0

    def _insert(self, table: Table, key: Key, row: Row) -> None:
        if None in key:
            raise FoldError(f"a row of {table.name} has no key")
        if self.find(table, key) is not None:
            raise FoldError(f"a row of {table.name} is inserted twice")
        for column, parent in PARENTS.get(table, ()):
            if self.find(parent, (row[column],)) is None:
                raise FoldError(f"a row of {table.name} has a {column} that is not in {parent.name}")
        if table.unique and self._is_taken(table, row):
            raise FoldError(f"a row of {table.name} has a taken {table.unique[-1]}")
        self._made.add(key)
        self._put(table, key, None, row)

    def _update(self, change: Update) -> None:
        row = self._existing(change.table, change.key)
        amounts = {column: _number(row[column]) + amount for column, amount in change.added.items()}
        self._put(change.table, change.key, row, {**row, **change.values, **amounts})

    def _delete(self, table: Table, key: Key) -> None:
        self._put(table, key, self._existing(table, key), None)
        if _CHILDREN[table]:
            self._deleted_parents.append((table, key))

    def _existing(self, table: Table, key: Key) -> Row:
        row = self.find(table, key)
        if row is None:
            raise FoldError(f"the row of {table.name} that the entry needs is missing")
        return row

    def _put(self, table: Table, key: Key, before: StoredRow, row: StoredRow) -> None:
        if row is not None:
            for column in _INTEGERS[table]:
                if _number(row[column]) > LARGEST_INTEGER:
                    raise FoldError(f"the {column} of a row of {table.name} is too large")
        self._before.append((table, key, before))
        self._note_unique(table, before, row)
        self._rows[table][key] = row
        self._unwritten[table].add(key)

    def _is_taken(self, table: Table, row: Row) -> bool:
        value = _unique_value(table, row)
        if value not in self._taken:
            self._taken[value] = self._store.has_unique(*value)
        return self._taken[value]

    def _note_unique(self, table: Table, before: StoredRow, row: StoredRow) -> None:
        if table.unique:
            if before is not None:
                self._taken[_unique_value(table, before)] = False
            if row is not None:
                self._taken[_unique_value(table, row)] = True

    def _cascade(self) -> None:
        """The store finds the children, so it must have them all."""
        self.write()
        for parent, key in self._deleted_parents:
            for table in _CHILDREN[parent]:
                self._store.delete_children(table, key)
                self._rows[table].clear()
        self._deleted_parents.clear()


def _unique_value(table: Table, row: Row) -> UniqueValue:
    return table, tuple(row[column] for column in table.unique)


def _number(value: Value) -> int:
    if not isinstance(value, int):
        raise FoldError("an amount is added to a value that is not a number")
    return value
