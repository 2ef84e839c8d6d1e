"""What changed in a table between a past state and the live one: takes both in key order, and returns counts and the
first changes. Memory is bounded.
"""

from collections.abc import AsyncIterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson

from daybook_contracts.json.canonical import canonical_bytes
from daybook_projector.audit.checks.live_values import LiveRow
from daybook_projector.audit.fold.store import key_texts
from daybook_projector.projections.changes import Table

Kind = Literal["added", "removed", "changed"]
Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RowDiff:
    """`then` and `now`: the columns that differ; of an added or removed row, all columns but the key's."""

    kind: Kind
    key: tuple[str, ...]
    then: Values | None
    now: Values | None


@dataclass(slots=True)
class TableDiff:
    """`rows`: the first changes, in the order of the keys. `name` is without the schema `public`."""

    name: str
    added: int = 0
    removed: int = 0
    changed: int = 0
    rows: list[RowDiff] = field(default_factory=list)

    @property
    def unlisted(self) -> int:
        return self.added + self.removed + self.changed - len(self.rows)


async def table_diff(
    table: Table, then: Iterator[tuple[bytes, bytes]], live: AsyncIterable[Sequence[LiveRow]], limit: int
) -> TableDiff:
    """`limit`: how many changes to list."""
    comparing = _Comparing(table, then, limit)
    async for page in live:
        for row in page:
            comparing.take(row)
    comparing.finish()
    return comparing.diff


class _Comparing:
    def __init__(self, table: Table, then: Iterator[tuple[bytes, bytes]], limit: int) -> None:
        self._table = table
        self._then = then
        self._next = next(then, None)
        self._limit = limit
        self.diff = TableDiff(table.name.removeprefix("public."))

    def take(self, live: LiveRow) -> None:
        self._pass_removed(live.key)
        if self._next is None or self._next[0] != live.key:
            self.diff.added += 1
            self._list("added", live.key, None, _live_values(live))
            return
        past = self._next[1]
        self._next = next(self._then, None)
        if past != live.row:
            self.diff.changed += 1
            self._list_changed(live.key, orjson.loads(past), _live_values(live))

    def finish(self) -> None:
        self._pass_removed(None)

    def _pass_removed(self, before: bytes | None) -> None:
        """Counts the past rows with smaller keys as removed; with None, all that are left."""
        while self._next is not None and (before is None or self._next[0] < before):
            self.diff.removed += 1
            self._list("removed", self._next[0], orjson.loads(self._next[1]), None)
            self._next = next(self._then, None)

    def _list_changed(self, key: bytes, then: Values, now: Values) -> None:
        names = [name for name in self._table.columns if _differ(then[name], now.get(name))]
        self._list("changed", key, {name: then[name] for name in names}, {name: now.get(name) for name in names})

    def _list(self, kind: Kind, key: bytes, then: Values | None, now: Values | None) -> None:
        if len(self.diff.rows) < self._limit:
            self.diff.rows.append(RowDiff(kind, tuple(key_texts(key)), self._others(then), self._others(now)))

    def _others(self, values: Values | None) -> Values | None:
        if values is None:
            return None
        return {name: values[name] for name in self._table.columns if name in values and name not in self._table.key}


def _live_values(live: LiveRow) -> Values:
    """The values of a row; for an unhashable row, only those that are wrong. No log makes an unhashable row."""
    if live.row is None:
        return {odd.field: odd.found for odd in live.odd}
    values: Values = orjson.loads(live.row)
    return values


def _differ(one: object, other: object) -> bool:
    """Compares values as JSON: true is not 1."""
    return canonical_bytes(one) != canonical_bytes(other)
