"""What changed since a past state, as tables for people and as JSON."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson
from rich import box
from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from daybook_infra.operations.commands.listing import MIN_WIDTH, PIPE_WIDTH, one_line
from daybook_projector.audit.replay.changes_since import RowDiff, TableDiff

LONGEST_CELL = 80


def diff_json(moment: str, positions: str, diffs: Sequence[TableDiff]) -> dict[str, Any]:
    return {"moment": moment, "positions": positions.split(), "tables": [_table_json(diff) for diff in diffs]}


def print_diff(moment: str, diffs: Sequence[TableDiff]) -> None:
    console = Console(highlight=False)
    console.width = max(console.width, MIN_WIDTH) if console.is_terminal else PIPE_WIDTH
    console.print(f"{moment}, compared with the live tables")
    console.print(_summary(diffs))
    if any(diff.rows for diff in diffs):
        console.print(_changes(diffs))
    for diff in diffs:
        if diff.unlisted and diff.name != "audit_log":
            console.print(f"{diff.name}: {diff.unlisted} more: raise --limit, or narrow with --org")


def _table_json(diff: TableDiff) -> dict[str, Any]:
    counts = {"added": diff.added, "removed": diff.removed, "changed": diff.changed}
    return {"table": diff.name, **counts, "rows": [_row_json(row) for row in diff.rows], "more": diff.unlisted}


def _row_json(row: RowDiff) -> dict[str, Any]:
    sides = {"then": row.then, "now": row.now}
    present = {name: dict(values) for name, values in sides.items() if values is not None}
    return {"change": row.kind, "key": list(row.key), **present}


def _summary(diffs: Sequence[TableDiff]) -> Any:
    grid = Grid(box=box.SIMPLE_HEAD)
    grid.add_column("table")
    for name in ("added", "removed", "changed"):
        grid.add_column(name, justify="right")
    for diff in diffs:
        grid.add_row(diff.name, str(diff.added), str(diff.removed), str(diff.changed))
    return grid


def _changes(diffs: Sequence[TableDiff]) -> Any:
    grid = Grid(box=box.SIMPLE_HEAD)
    for name in ("table", "key", "change", "column"):
        grid.add_column(name, no_wrap=True)
    for name in ("then", "now"):
        grid.add_column(name, overflow="fold")
    for diff in diffs:
        for row in diff.rows:
            for cells in _lines(diff.name, row):
                grid.add_row(*map(Text, cells))
    return grid


def _lines(table: str, row: RowDiff) -> Iterator[tuple[str, ...]]:
    """A line for each changed column; one for a row that was added or removed."""
    place = (table, " ".join(row.key), row.kind)
    if row.then is None or row.now is None:
        yield (*place, "", *("" if values is None else shown_row(values) for values in (row.then, row.now)))
        return
    for column, value in row.then.items():
        yield (*place, column, shown_value(value), shown_value(row.now[column]))


def shown_row(values: Mapping[str, Any]) -> str:
    return "; ".join(f"{column} {shown_value(value)}" for column, value in values.items())


def shown_value(value: Any) -> str:
    """The value on one line, cut off if it is too long."""
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    line = one_line(text)
    return line if len(line) <= LONGEST_CELL else f"{line[: LONGEST_CELL - 1]}…"
