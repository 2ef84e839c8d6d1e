"""Options and output that the listing subcommands share: a table for people, or a JSON array."""

import json
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

import click

from daybook_infra.operations.listing_sql import Scope

if TYPE_CHECKING:
    from daybook_infra.operations.listings import Page

# Fits a row of ids. A narrower terminal wraps the line, so that no id is cut.
MIN_WIDTH = 120
# Lines in a pipe are not wrapped.
PIPE_WIDTH = 1000
MAX_TEXT = 300

Row = TypeVar("Row")
Columns = Mapping[str, Callable[[Row], str]]


def with_scope_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add --org, --project, --connection, --limit and --json. The command gets `scope` and `as_json`."""

    @wraps(command)
    def with_scope(
        org: UUID | None, project: UUID | None, connection: UUID | None, limit: int, **others: object
    ) -> None:
        command(scope=Scope(org, project, connection, limit), **others)

    wrapped = click.option("--json", "as_json", is_flag=True, help="Print a JSON array instead of a table.")(with_scope)
    limits = click.IntRange(1, 10_000)
    wrapped = click.option("--limit", type=limits, default=100, show_default=True, help="Maximum number of rows.")(
        wrapped
    )
    for name in ("connection", "project", "org"):
        wrapped = click.option(f"--{name}", type=click.UUID, metavar="ID", help=f"Only of this {name}.")(wrapped)
    return wrapped


def show(page: "Page[Row]", columns: Columns[Row], nothing: str, *, as_json: bool) -> None:
    """Prints a line on stderr if there are more rows than the limit."""
    if as_json:
        click.echo(json.dumps([as_object(row) for row in page.rows], indent=2))
    elif page.rows:
        _print_table(page, columns)
    else:
        click.echo(nothing)
    if page.more:
        click.echo(f"there are more than {len(page.rows)}: narrow the search, or raise --limit", err=True)


def as_object(row: Any) -> dict[str, Any]:
    """All fields by name, times as RFC 3339 in UTC."""
    values = ((field.name, getattr(row, field.name)) for field in fields(row))
    return {name: utc(value, "microseconds") if isinstance(value, datetime) else value for name, value in values}


def utc(moment: datetime, precision: str = "seconds") -> str:
    return moment.astimezone(UTC).isoformat(timespec=precision).replace("+00:00", "Z")


def one_line(text: str) -> str:
    """Foreign text made safe for a terminal: no control or formatting characters, and not too long."""
    plain = "".join(" " if unicodedata.category(char) in {"Cc", "Cf", "Zl", "Zp"} else char for char in text)
    return plain if len(plain) <= MAX_TEXT else f"{plain[: MAX_TEXT - 1]}…"


def duration(passed: timedelta) -> str:
    """The two largest units: 3d 4h, 2h 5m, 3m 20s, 7s."""
    seconds = max(0, int(passed.total_seconds()))
    for unit, size, lesser, of_it in (("d", 86_400, "h", 3600), ("h", 3600, "m", 60), ("m", 60, "s", 1)):
        if seconds >= size:
            return f"{seconds // size}{unit} {seconds % size // of_it}{lesser}"
    return f"{seconds}s"


def _print_table(page: "Page[Row]", columns: Columns[Row]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    console.width = max(console.width, MIN_WIDTH) if console.is_terminal else PIPE_WIDTH
    table = Table(box=box.SIMPLE_HEAD)
    *ids, last = columns
    for name in ids:
        table.add_column(name, no_wrap=True)
    table.add_column(last, overflow="fold")
    for row in page.rows:
        table.add_row(*(Text(cell(row)) for cell in columns.values()))
    console.print(table)
