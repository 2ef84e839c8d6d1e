"""A row's history, as tables for people and as JSON."""

from collections.abc import Iterator, Mapping
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from daybook_infra.operations.commands.listing import MIN_WIDTH, PIPE_WIDTH
from daybook_projector.audit.explain.run import Explained
from daybook_projector.audit.explain.trace import Step, shown
from daybook_projector.audit.reports.diff_text import shown_row, shown_value

TAMPERED = "the live row is not what the log says: run `daybook audit verify`"


def explained_json(explained: Explained) -> dict[str, Any]:
    history, table = explained.history, explained.name.projection
    row = history.row or history.last_row or {}
    return {
        "table": explained.name.table.removeprefix("public."),
        "key": list(explained.name.key),
        "exists": history.row is not None,
        "read": {"from": explained.log, "where": explained.search.how, "until": _until(explained)},
        "columns": {
            column: {"value": shown(table, column, row[column]), **_step_json(history.steps[at])}
            for column, at in _in_order(explained)
        },
        "history": [
            {**_step_json(step), "change": step.deed, "reason": step.reason, "columns": _columns_json(explained, step)}
            for step in history.steps
        ],
        "redacted": history.redacted,
        "live_row_agrees": explained.is_live_same,
    }


def print_explained(explained: Explained) -> None:
    history = explained.history
    console = Console(highlight=False)
    console.width = max(console.width, MIN_WIDTH) if console.is_terminal else PIPE_WIDTH
    console.print(f"{explained.name}")
    console.print(f"read: {explained.search.how}, from {explained.log}, up to {' '.join(_until(explained))}")
    if history.row is None and history.last_row is not None:
        last = next(step for step in reversed(history.steps) if step.deed in {"deleted", "cascaded"})
        reason = "" if last.reason is None else f" ({last.reason})"
        console.print(f"the row is gone: {last.deed} by {last.place} {last.action}{reason}; these were its last values")
    if history.last_row is not None:
        console.print(_origins(explained))
    console.print(_steps(explained))
    if history.redacted:
        console.print(f"redacted, so what they changed is not known: {' '.join(history.redacted)}")


def _origins(explained: Explained) -> Grid:
    grid = _grid("column", "value", "position", "time", "actor", "action", "command")
    table, row = explained.name.projection, explained.history.row or explained.history.last_row or {}
    for column, at in _in_order(explained):
        step = explained.history.steps[at]
        value = shown_value(shown(table, column, row[column]))
        cells = (column, value, step.place, step.created_at, actor_of(step), step.action, step.command_id or "")
        grid.add_row(*map(Text, cells))
    return grid


def _steps(explained: Explained) -> Grid:
    grid = _grid("position", "time", "actor", "action", "command", "what changed")
    for step in explained.history.steps:
        for at, line in enumerate(_what(explained, step)):
            place = (step.place, step.created_at, actor_of(step), step.action, step.command_id or "")
            grid.add_row(*map(Text, (*(place if at == 0 else ("",) * len(place)), line)))
    return grid


def _grid(*names: str) -> Grid:
    grid = Grid(box=box.SIMPLE_HEAD)
    for name in names:
        grid.add_column(name, no_wrap=name not in {"value", "what changed"}, overflow="fold")
    return grid


def _what(explained: Explained, step: Step) -> Iterator[str]:
    """A line for each column of an update; otherwise one."""
    reason = "" if step.reason is None else f" ({step.reason})"
    columns = _columns_json(explained, step)
    match step.deed:
        case "updated":
            for column, (old, new) in columns.items():
                yield f"{column}: {shown_value(old)} -> {shown_value(new)}"
        case "inserted":
            yield f"inserted{reason}: {shown_row({column: new for column, (_, new) in columns.items()})}"
        case "deleted" | "cascaded" | "unchanged" | "not applied":
            yield f"{step.deed}{reason}"


def actor_of(step: Step) -> str:
    return step.actor_user_id or step.principal or ""


def _step_json(step: Step) -> dict[str, Any]:
    return {
        "position": step.place,
        "entry_id": step.id,
        "created_at": step.created_at,
        "action": step.action,
        "actor_user_id": step.actor_user_id,
        "principal": step.principal,
        "command_id": step.command_id,
    }


def _columns_json(explained: Explained, step: Step) -> Mapping[str, list[Any]]:
    """The values of each changed column before and after. The columns of the key are left out."""
    table = explained.name.projection
    return {
        column: [shown(table, column, value) for value in values]
        for column, values in step.columns.items()
        if column not in table.key
    }


def _in_order(explained: Explained) -> Iterator[tuple[str, int]]:
    origins = explained.history.origins
    return ((column, origins[column]) for column in explained.name.projection.columns if column in origins)


def _until(explained: Explained) -> list[str]:
    return [f"{partition}.{position}" for partition, position in sorted(explained.until.items()) if position >= 0]
