"""Row changes, and what many of them come to: changes in log order in, at most one per row out (docs/log.md, rule 14).
Knows no table's meaning and no SQL.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import assert_never

Value = str | int | bool | None
Row = Mapping[str, Value]
Key = tuple[Value, ...]


class FoldError(ValueError):
    """The entry cannot be applied. The message says why and holds no payload."""


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """`columns` maps each column to its SQL type; the primary key's columns come first in it. Compared by identity."""

    name: str
    key: tuple[str, ...]
    columns: Mapping[str, str]

    def key_of(self, row: Row) -> Key:
        return tuple(row[column] for column in self.key)


@dataclass(frozen=True, slots=True)
class Insert:
    table: Table
    row: Row

    @property
    def key(self) -> Key:
        return self.table.key_of(self.row)


@dataclass(frozen=True, slots=True)
class Update:
    """`values` are the columns that change."""

    table: Table
    key: Key
    values: Row


@dataclass(frozen=True, slots=True)
class Delete:
    table: Table
    key: Key


@dataclass(frozen=True, slots=True)
class Replace:
    """Deleted and made anew: what hung on the old row is gone."""

    table: Table
    row: Row

    @property
    def key(self) -> Key:
        return self.table.key_of(self.row)


@dataclass(frozen=True, slots=True)
class Transient:
    """Made and deleted within these changes: leaves no row, yet only where it could be made. Otherwise it would depend
    on where batches are cut whether a contradiction is noticed.
    """

    table: Table
    row: Row

    @property
    def key(self) -> Key:
        return self.table.key_of(self.row)


Change = Insert | Update | Delete
NetChange = Insert | Update | Delete | Replace | Transient


def net_effect(changes: Iterable[Change]) -> tuple[NetChange, ...]:
    """One change per row, in the order in which rows were first touched.
    Raises `FoldError` where a row is made twice, or changed or deleted while it is absent.
    """
    net: dict[tuple[Table, Key], NetChange] = {}
    for change in changes:
        row = (change.table, change.key)
        before = net.get(row)
        net[row] = change if before is None else combine(before, change)
    return tuple(net.values())


def combine(before: NetChange, change: Change) -> NetChange:
    """What two changes of the same row, one after the other, come to."""
    match before:
        case Insert() | Replace():
            return _after_made(before, change)
        case Update():
            return _after_update(before, change)
        case Delete() | Transient():
            return _after_absent(before, change)
        case _:
            assert_never(before)


def _after_made(before: Insert | Replace, change: Change) -> NetChange:
    match change:
        case Insert():
            raise FoldError(f"a row of {change.table.name} is made twice")
        case Update():
            return type(before)(before.table, {**before.row, **change.values})
        case Delete():
            return Transient(before.table, before.row) if isinstance(before, Insert) else change
        case _:
            assert_never(change)


def _after_update(before: Update, change: Change) -> NetChange:
    match change:
        case Insert():
            raise FoldError(f"a row of {change.table.name} is made twice")
        case Update():
            return Update(before.table, before.key, {**before.values, **change.values})
        case Delete():
            return change
        case _:
            assert_never(change)


def _after_absent(before: Delete | Transient, change: Change) -> NetChange:
    match change:
        case Insert():
            return change if isinstance(before, Transient) else Replace(change.table, change.row)
        case Update() | Delete():
            raise FoldError(f"a row of {change.table.name} is changed after it was deleted")
        case _:
            assert_never(change)
