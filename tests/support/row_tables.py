"""Tables in memory that take net changes and refuse what PostgreSQL would refuse: a taken key, a missing row."""

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


class RowTables:
    def __init__(self, rows: Mapping[Table, Sequence[Row]] | None = None) -> None:
        self.rows: dict[str, dict[Key, Row]] = {}
        for table, present in (rows or {}).items():
            self.rows[table.name] = {table.key_of(row): row for row in present}

    def try_batches(self, batches: Iterable[Sequence[Change]]) -> bool:
        """Says whether all of them could be applied."""
        try:
            for batch in batches:
                self.apply(net_effect(batch))
        except FoldError:
            return False
        return True

    def apply(self, changes: Iterable[NetChange]) -> None:
        for change in changes:
            rows = self.rows.setdefault(change.table.name, {})
            match change:
                case Insert():
                    self._expect(change, rows, present=False)
                    rows[change.key] = change.row
                case Update():
                    self._expect(change, rows, present=True)
                    rows[change.key] = {**rows[change.key], **change.values}
                case Delete():
                    self._expect(change, rows, present=True)
                    del rows[change.key]
                case Replace():
                    self._expect(change, rows, present=True)
                    rows[change.key] = change.row
                case Transient():
                    self._expect(change, rows, present=False)
                case _:
                    assert_never(change)

    def _expect(self, change: NetChange, rows: Mapping[Key, Row], *, present: bool) -> None:
        if (change.key in rows) is not present:
            raise FoldError(f"{change} contradicts the table")
