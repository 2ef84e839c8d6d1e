"""Compares a live table with the fold of the log: takes both in key order, and returns findings, row count and digest.
Memory is bounded, because neither is ever held whole.
"""

from collections.abc import AsyncIterable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from msgspec import UNSET, UnsetType

from daybook_contracts.json.canonical import canonical_bytes, parse_as_ecmascript
from daybook_projector.audit.checks.finding import Finding, Findings, shown
from daybook_projector.audit.checks.live_values import LiveRow
from daybook_projector.audit.checks.row_hash import TableDigest, row_hash
from daybook_projector.audit.fold.store import key_texts
from daybook_projector.projections.changes import Table

FoldedRow = tuple[bytes, bytes]
"""The key and the JCS of a row, as `PartitionFold.rows` yields them."""


@dataclass(frozen=True, slots=True)
class TableTotals:
    """The row count and digest of a live table. Unhashable rows are counted, but have no part in the digest."""

    name: str
    rows: int
    digest: str


async def compare_table(
    table: Table, folded: Iterable[FoldedRow], live: AsyncIterable[Sequence[LiveRow]], findings: Findings
) -> TableTotals:
    comparison = RowComparison(table, folded)
    async for page in live:
        findings.extend(comparison.take(page))
    findings.extend(comparison.finish())
    return comparison.totals


def table_name(table: Table) -> str:
    """The name of the table in findings and certificates."""
    return table.name.removeprefix("public.")


class RowComparison:
    """Takes the live rows page by page; `finish` after the last one."""

    def __init__(self, table: Table, folded: Iterable[FoldedRow]) -> None:
        self._table = table
        self._folded = iter(folded)
        self._next = next(self._folded, None)
        self._rows = 0
        self._digest = TableDigest()

    @property
    def totals(self) -> TableTotals:
        return TableTotals(table_name(self._table), self._rows, self._digest.hexdigest())

    def take(self, page: Sequence[LiveRow]) -> Iterator[Finding]:
        self._rows += len(page)
        self._digest.add(row_hash(live.row) for live in page if live.row is not None)
        for live in page:
            while self._next is not None and self._next[0] < live.key:
                yield self._missing(self._next)
                self._next = next(self._folded, None)
            if self._next is None or self._next[0] != live.key:
                yield self._finding("surplus", live.key, found=_shown_row(live.row))
                continue
            if self._next[1] != live.row or live.odd:
                yield from self._differences(self._next[1], live)
            self._next = next(self._folded, None)

    def finish(self) -> Iterator[Finding]:
        while self._next is not None:
            yield self._missing(self._next)
            self._next = next(self._folded, None)

    def _missing(self, folded: FoldedRow) -> Finding:
        key, row = folded
        return self._finding("missing", key, expected=_shown_row(row))

    def _differences(self, folded: bytes, live: LiveRow) -> Iterator[Finding]:
        """Each value that cannot be canonical, and the first column that differs."""
        expected = _values(folded)
        for odd in live.odd:
            yield self._finding("row", live.key, odd.field, shown(expected[odd.field]), shown(odd.found))
        if live.row is None or live.row == folded:
            return
        found = _values(live.row)
        first = next(name for name in self._table.columns if not _are_equal(expected[name], found[name]))
        if all(odd.field != first for odd in live.odd):
            yield self._finding("row", live.key, first, shown(expected[first]), shown(found[first]))

    def _finding(
        self,
        check: Literal["missing", "surplus", "row"],
        key: bytes,
        field: str | UnsetType = UNSET,
        expected: object = UNSET,
        found: object = UNSET,
    ) -> Finding:
        return Finding(
            check=check,
            place="tables",
            table=table_name(self._table),
            key=tuple(key_texts(key)),
            field=field,
            expected=expected,
            found=found,
        )


def _values(row: bytes) -> dict[str, Any]:
    values: Any = parse_as_ecmascript(row.decode())
    return dict(values)


def _shown_row(row: bytes | None) -> object:
    return UNSET if row is None else shown(_values(row))


def _are_equal(one: object, other: object) -> bool:
    """Compares values as JSON: true is not 1."""
    return canonical_bytes(one) == canonical_bytes(other)
