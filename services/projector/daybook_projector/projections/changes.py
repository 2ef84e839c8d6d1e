"""Row changes and their net effect: takes changes in log order, returns at most one per row (docs/log.md, rule 14)."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import assert_never

from msgspec import Struct
from msgspec.structs import replace

Value = str | int | bool | None
Row = Mapping[str, Value]
Key = tuple[Value, ...]
Amounts = Mapping[str, int]


class FoldError(ValueError):
    """The entry cannot be applied. The message gives the reason and no payload."""


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """`columns` maps each column to its SQL type, the primary key's columns first. `cascades_from`: a foreign key
    column and the table to which it refers; deleting a row of that table deletes the rows that refer to the row.
    `unique`: the columns of a further unique constraint. Tables are compared by identity, in another process too: they
    are pickled by name.
    """

    name: str
    key: tuple[str, ...]
    columns: Mapping[str, str]
    cascades_from: "tuple[str, Table] | None" = None
    unique: tuple[str, ...] = ()

    def key_of(self, row: Row) -> Key:
        return tuple(map(row.__getitem__, self.key))

    def __reduce__(self) -> "tuple[Callable[[str], Table], tuple[str]]":
        """For pickle: the other process finds its own table, because a copy would be a different table. Raises
        `TypeError` for a table that the other process does not have.
        """
        from daybook_projector.projections.fold import PICKLED, table_named  # noqa: PLC0415 - it imports this module

        if PICKLED.get(self.name) is not self:
            raise TypeError(f"{self.name} cannot be sent to another process, which has no such table")
        return table_named, (self.name,)


class Insert(Struct, frozen=True, gc=False):
    table: Table
    row: Row

    @property
    def key(self) -> Key:
        return self.table.key_of(self.row)


class Update(Struct, frozen=True, gc=False):
    """`values`: columns and their new values. `added`: further columns, and the amounts to add to them."""

    table: Table
    key: Key
    values: Row
    added: Amounts = {}


class Delete(Struct, frozen=True, gc=False):
    table: Table
    key: Key


class Replace(Struct, frozen=True, gc=False):
    """The row is deleted and inserted again; the delete cascades to rows that refer to it. `first`: the deleted row, if
    these changes also inserted it.
    """

    table: Table
    row: Row
    first: Row | None = None

    @property
    def key(self) -> Key:
        return self.table.key_of(self.row)


class Transient(Struct, frozen=True, gc=False):
    """The row is inserted and deleted within these changes. It leaves no row, but is still inserted: otherwise the
    batch boundaries would decide whether a contradiction is noticed.
    """

    table: Table
    row: Row

    @property
    def key(self) -> Key:
        return self.table.key_of(self.row)


Change = Insert | Update | Delete
NetChange = Insert | Update | Delete | Replace | Transient


def net_effect(changes: Iterable[Change]) -> tuple[NetChange, ...]:
    """One change per row, in the order in which the rows were first touched.
    Raises `FoldError` if a row is inserted twice, or changed or deleted while it does not exist.
    """
    net: dict[tuple[Table, Key], NetChange] = {}
    for change in changes:
        row = (change.table, change.key)
        before = net.get(row)
        net[row] = change if before is None else combine(before, change)
    return tuple(net.values())


def combine(before: NetChange, change: Change) -> NetChange:
    """The net effect of two successive changes of the same row."""
    match before:
        case Insert() | Replace():
            return _after_insert(before, change)
        case Update():
            return _after_update(before, change)
        case Delete() | Transient():
            return _after_delete(before, change)
        case _:
            assert_never(before)


def _after_insert(before: Insert | Replace, change: Change) -> NetChange:
    match change:
        case Insert():
            raise FoldError(f"a row of {change.table.name} is inserted twice")
        case Update():
            return replace(before, row=_add_amounts({**before.row, **change.values}, change.added))
        case Delete():
            first = before.row if isinstance(before, Insert) else before.first
            return change if first is None else Transient(before.table, first)
        case _:
            assert_never(change)


def _after_update(before: Update, change: Change) -> NetChange:
    match change:
        case Insert():
            raise FoldError(f"a row of {change.table.name} is inserted twice")
        case Update():
            return _combine_updates(before, change)
        case Delete():
            return change
        case _:
            assert_never(change)


def _combine_updates(before: Update, change: Update) -> Update:
    """An amount is added to the column's new value if `values` has one. Other amounts are summed."""
    values = {**before.values, **change.values}
    known = {column: amount for column, amount in change.added.items() if column in values}
    added = {
        column: before.added.get(column, 0) + change.added.get(column, 0)
        for column in {**before.added, **change.added}
        if column not in values
    }
    return Update(before.table, before.key, _add_amounts(values, known), added)


def _after_delete(before: Delete | Transient, change: Change) -> NetChange:
    match change:
        case Insert():
            first = before.row if isinstance(before, Transient) else None
            return Replace(change.table, change.row, first)
        case Update() | Delete():
            raise FoldError(f"a row of {change.table.name} is changed after it was deleted")
        case _:
            assert_never(change)


def _add_amounts(row: Row, added: Amounts) -> Row:
    return {**row, **{column: _as_number(row[column]) + amount for column, amount in added.items()}} if added else row


def _as_number(value: Value) -> int:
    if not isinstance(value, int):
        raise FoldError("an amount is added to a value that is not a number")
    return value
