"""Traces one row through the log: takes entries in log order; returns the row's history, and the entry that set each
column. The changes of an entry come from the projections' rules alone. Pure.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson

from daybook_projector.audit.explain.row_name import RowName
from daybook_projector.audit.fold.kept_rows import kept_rows
from daybook_projector.audit.log.entries import REDACTED
from daybook_projector.partition.batch_rows import entry_changes
from daybook_projector.partition.entry import PartitionEntry
from daybook_projector.projections.changes import Change, Delete, FoldError, Insert, Row, Table, Update, Value
from daybook_projector.projections.fold import Folds

Deed = Literal["inserted", "updated", "deleted", "cascaded", "unchanged", "not applied"]
"""`cascaded`: deleted with the row that it referred to. `unchanged`: written with the values that it had already. `not
applied`: ignored, because the org was in quarantine.
"""

Columns = Mapping[str, tuple[Value, Value]]


@dataclass(frozen=True, slots=True)
class Step:
    """One entry that touched the row. `columns`: the value of each changed column before and after. `reason`: why the
    entry had this effect, if that is not obvious.
    """

    partition: int
    position: int
    id: str
    created_at: str
    action: str
    actor_user_id: str | None
    principal: str | None
    command_id: str | None
    deed: Deed
    columns: Columns
    reason: str | None = None

    @property
    def place(self) -> str:
        return f"{self.partition}.{self.position}"


@dataclass(slots=True)
class RowHistory:
    """`row` is None if the row does not exist (any more); `last_row` then has its last values. `origins`: for each
    column, the index of the step that set its value in `row` or `last_row`. `redacted`: places of entries whose effect
    is not known.
    """

    steps: list[Step] = field(default_factory=list)
    row: Row | None = None
    last_row: Row | None = None
    origins: dict[str, int] = field(default_factory=dict)
    redacted: list[str] = field(default_factory=list)


class RowTrace:
    """Follows one row through the entries of one partition. `frozen`: for each org in quarantine, the position of its
    poison entry.
    """

    def __init__(self, name: RowName, partition: int, folds: Folds, frozen: Mapping[str, int]) -> None:
        self._table, self._key = name.projection, name.key
        self._partition = partition
        self._folds = folds
        self._frozen = dict(frozen)
        self.history = RowHistory()

    def take(self, entries: Iterable[PartitionEntry]) -> None:
        for entry in entries:
            self._take(entry)

    def _take(self, entry: PartitionEntry) -> None:
        if entry.poison == REDACTED:
            self.history.redacted.append(f"{self._partition}.{entry.head.position}")
            return
        changes: Sequence[Change] = ()
        org_id = (entry.org_id or "").lower()
        try:
            changes = entry_changes(self._folds, entry)
        except FoldError:
            self._frozen.setdefault(org_id, entry.head.position)
        since = self._frozen.get(org_id, entry.head.position + 1) if org_id else entry.head.position + 1
        if entry.head.position < since:
            self._apply(entry, changes)
        else:
            self._keep_keys(entry, changes, f"its org has been in quarantine since {self._partition}.{since}")

    def _apply(self, entry: PartitionEntry, changes: Iterable[Change]) -> None:
        before, row, deed, reason = self.history.row, self.history.row, None, None
        for change in changes:
            deed = self._deed(change, row) or deed
            if deed == "cascaded" and isinstance(change, Delete):
                reason = reason or f"with {change.table.name.partition('.')[2]} {change.key[0]}"
            row = self._after(change, row)
        if deed is not None:
            self._note(entry, before, row, deed, reason)

    def _keep_keys(self, entry: PartitionEntry, changes: Iterable[Change], reason: str) -> None:
        """An entry of an org in quarantine still inserts orgs and projects (docs/log.md, rule 13)."""
        row = self.history.row
        kept = next((insert for insert in kept_rows(entry) if self._is_row(insert)), None)
        if kept is not None and row is None:
            self._note(entry, None, kept.row, "inserted", reason)
        elif any(self._deed(change, row) is not None for change in changes):
            self._note(entry, row, row, "not applied", reason)

    def _deed(self, change: Change, row: Row | None) -> Deed | None:
        """What the change does to the row; None if nothing."""
        if self._is_row(change):
            return "inserted" if isinstance(change, Insert) else "updated" if isinstance(change, Update) else "deleted"
        return "cascaded" if row is not None and self._takes_along(change, row) else None

    def _after(self, change: Change, row: Row | None) -> Row | None:
        match self._deed(change, row):
            case "inserted" if isinstance(change, Insert):
                return change.row
            case "updated" if isinstance(change, Update):
                added = {column: _number(row, column) + amount for column, amount in change.added.items()}
                return {**(row or {}), **change.values, **added}
            case "deleted" | "cascaded":
                return None
            case _:
                return row

    def _is_row(self, change: Change) -> bool:
        return change.table is self._table and change.key == self._key

    def _takes_along(self, change: Change, row: Row) -> bool:
        if self._table.cascades_from is None or not isinstance(change, Delete):
            return False
        column, parent = self._table.cascades_from
        return change.table is parent and change.key == (row[column],)

    def _note(
        self, entry: PartitionEntry, before: Row | None, after: Row | None, deed: Deed, reason: str | None
    ) -> None:
        history = self.history
        changed = _changed(self._table, before, after)
        if deed == "updated" and not changed:
            deed = "unchanged"
        history.steps.append(_step(self._partition, entry, deed, changed, reason))
        history.row = after
        if after is not None:
            history.last_row = after
            history.origins |= dict.fromkeys(changed, len(history.steps) - 1)


def merged(histories: Iterable[RowHistory]) -> RowHistory:
    """The history of the partition that has the row. Another partition has steps only if an entry is in the wrong
    partition; such an entry is poison and changes nothing.
    """
    found = [history for history in histories if history.steps]
    chosen = max(found, key=lambda history: (history.last_row is not None, len(history.steps)), default=RowHistory())
    chosen.redacted = [place for history in histories for place in history.redacted]
    return chosen


def shown(table: Table, column: str, value: Value) -> Any:
    """The value as JSON. A JSON document becomes a value instead of a text."""
    return orjson.loads(value) if table.columns[column] == "jsonb" and isinstance(value, str) else value


def _changed(table: Table, before: Row | None, after: Row | None) -> Columns:
    """The changed columns: all columns of a row that was inserted or deleted."""
    old, new = before or {}, after or {}
    return {
        column: (old.get(column), new.get(column))
        for column in table.columns
        if before is None or after is None or old[column] != new[column]
    }


def _step(partition: int, entry: PartitionEntry, deed: Deed, columns: Columns, reason: str | None) -> Step:
    assert entry.columns is not None  # noqa: S101 - for the type checker: without columns an entry changes nothing
    metadata: Any = orjson.loads(entry.metadata)
    return Step(
        partition=partition,
        position=entry.head.position,
        id=entry.columns.id,
        created_at=entry.columns.created_at,
        action=entry.columns.action,
        actor_user_id=entry.columns.actor_user_id,
        principal=metadata.get("principal"),
        command_id=metadata.get("command_id"),
        deed=deed,
        columns=columns,
        reason=reason,
    )


def _number(row: Row | None, column: str) -> int:
    value = None if row is None else row[column]
    return value if isinstance(value, int) else 0
