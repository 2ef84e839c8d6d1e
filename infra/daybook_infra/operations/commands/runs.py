"""`daybook runs`: lists sync runs, newest first."""

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from daybook_infra.operations.commands.listing import Columns, duration, one_line, show, utc, with_scope_options
from daybook_infra.operations.listing_sql import STATUSES, Scope
from daybook_infra.operations.server_settings import server_settings

if TYPE_CHECKING:
    from daybook_infra.operations.listings import ListedRun

DEFAULT_STATUSES = ("running", "failed")


@click.command
@with_scope_options
@click.option(
    "--status",
    "statuses",
    type=click.Choice(STATUSES),
    multiple=True,
    default=DEFAULT_STATUSES,
    show_default=True,
    help="Only runs with this status; may be repeated.",
)
def runs(scope: Scope, statuses: tuple[str, ...], *, as_json: bool) -> None:
    """List the sync runs that are running or have failed, newest first.

    Fields of --json: id, status (running, failed, success, cancelled), org_id, project_id, connection_id, started_at,
    finished_at and error_message; the last two may be null. For a run that is still running, the table shows the time
    since its start.
    """
    from daybook_infra.operations import listings

    found = asyncio.run(listings.runs(server_settings(), scope, statuses))
    show(found, _columns(datetime.now(UTC)), f"no run with status {' or '.join(statuses)}", as_json=as_json)


def _columns(now: datetime) -> "Columns[ListedRun]":
    return {
        "status": lambda run: run.status,
        "run": lambda run: run.id,
        "connection": lambda run: run.connection_id,
        "started at": lambda run: utc(run.started_at),
        "took": lambda run: duration((run.finished_at or now) - run.started_at),
        "error": lambda run: one_line(run.error_message or ""),
    }
