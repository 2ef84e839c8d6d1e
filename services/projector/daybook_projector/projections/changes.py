"""Row changes, and what many of them come to: changes in log order in, at most one per row out (docs/log.md, rule 14).
Knows no table's meaning and no SQL.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import assert_never

Value = str | int | bool | None
Row = Mapping[str, Value]
Key = tuple[Value, ...]
Amounts = Mapping[str, int]


class FoldError(ValueError):
    """The entry cannot be applied. The message says why and holds no payload."""


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """`columns` maps each column to its SQL type; the primary key's columns come first in it. `hangs_on`: a column and
    the table that it names, a deleted row of which takes those that name it along. `unique`: further columns that no
    two rows share. Compared by identity.
    """

    name: str
    key: tuple[str, ...]
    columns: Mapping[str, str]
    hangs_on: "tuple[str, Table] | None" = None
    unique: tuple[str, ...] = ()

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
    """`values` are columns as they become; `added` says of others what is added to them, whatever they hold."""

    table: Table
    key: Key
    values: Row
    added: Amounts = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Delete:
    table: Table
    key: Key


@dataclass(frozen=True, slots=True)
class Replace:
    """Deleted and made anew: what hung on the old row is gone. `first` is the old row where these changes made it."""

    table: Table
    row: Row
    first: Row | None = None

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
            return replace(before, row=_raised({**before.row, **change.values}, change.added))
        case Delete():
            first = before.row if isinstance(before, Insert) else before.first
            return change if first is None else Transient(before.table, first)
        case _:
            assert_never(change)


def _after_update(before: Update, change: Change) -> NetChange:
    match change:
        case Insert():
            raise FoldError(f"a row of {change.table.name} is made twice")
        case Update():
            return _update_twice(before, change)
        case Delete():
            return change
        case _:
            assert_never(change)


def _update_twice(before: Update, change: Update) -> Update:
    """What is added to a known value gives a known value; the rest stays an amount."""
    values = {**before.values, **change.values}
    known = {column: amount for column, amount in change.added.items() if column in values}
    added = {
        column: before.added.get(column, 0) + change.added.get(column, 0)
        for column in {**before.added, **change.added}
        if column not in values
    }
    return Update(before.table, before.key, _raised(values, known), added)


def _after_absent(before: Delete | Transient, change: Change) -> NetChange:
    match change:
        case Insert():
            first = before.row if isinstance(before, Transient) else None
            return Replace(change.table, change.row, first)
        case Update() | Delete():
            raise FoldError(f"a row of {change.table.name} is changed after it was deleted")
        case _:
            assert_never(change)


def _raised(row: Row, added: Amounts) -> Row:
    return {**row, **{column: _number(row[column]) + amount for column, amount in added.items()}} if added else row


def _number(value: Value) -> int:
    if not isinstance(value, int):
        raise FoldError("something is added to what is no number")
    return value
