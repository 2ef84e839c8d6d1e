"""`daybook dlq retry|resolve`: retries or resolves all pending dead letters of a connection, with one bulk command
after another.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, get_args
from uuid import UUID

import click

from daybook_contracts.entries.fields import Resolution
from daybook_contracts.limits import RETRY_COUNT
from daybook_contracts.senders.principals import InvalidPrincipal, Service, parse_publisher
from daybook_contracts.senders.signer import Signer
from daybook_infra.operations.bulk import BulkAction, Progress, Resolve, Retry, command_data, command_type, plan_passes
from daybook_infra.operations.commands.interruptible import run_interruptibly
from daybook_infra.operations.commands.numbers import Number
from daybook_infra.operations.commands.progress import progress
from daybook_infra.operations.server_settings import server_settings
from daybook_infra.runtime.settings import Settings

if TYPE_CHECKING:
    from daybook_infra.operations.dead_letters import ConnectionRef
    from daybook_infra.runtime.postgres.connections import OwnConnection

UNKNOWN, INTERRUPTED = 3, 130
# The limit of N in `retry`. Each level from 0 to N is one pass over the dead letters retried at most that often.
MOST_LEVELS = 100


@dataclass(frozen=True, slots=True)
class DlqOptions:
    """The options of both subcommands. `seconds`: how long to wait for the outcome of each command."""

    connection_id: UUID
    principal: Service
    seconds: float
    dry_run: bool
    key_file: Path | None


@click.group
def dlq() -> None:
    """Retry or resolve the pending dead letters of a connection, however many there are."""


def _parse_service(_context: click.Context, _option: click.Parameter, text: str) -> Service:
    try:
        principal = parse_publisher(text.encode())
    except InvalidPrincipal as error:
        raise click.BadParameter(str(error)) from error
    if not isinstance(principal, Service):
        raise click.BadParameter("only a service can act without an actor: give service:NAME")
    return principal


OPTIONS = (
    click.option(
        "--connection", type=click.UUID, required=True, metavar="ID", help="The connection that has the dead letters."
    ),
    click.option(
        "--principal",
        default="service:cli",
        show_default=True,
        callback=_parse_service,
        help="The sender: service:NAME.",
    ),
    click.option(
        "--key-file",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="File with the key that the service signs its records with.  [default: DAYBOOK_SERVICE_KEY]",
    ),
    click.option(
        "--timeout",
        "seconds",
        type=Number(min=0, min_open=True),
        default=30.0,
        show_default=True,
        metavar="SECONDS",
        help="How long to wait for each command's outcome, and for the tables to show it.",
    ),
    click.option("--dry-run", is_flag=True, help="Only count the dead letters that match."),
)


def with_options(command: Callable[..., None]) -> Callable[..., None]:
    """Adds the options of both subcommands. The command gets them as `options`."""

    @wraps(command)
    def parsed(
        connection: UUID, principal: Service, seconds: float, key_file: Path | None, *, dry_run: bool, **others: object
    ) -> None:
        command(options=DlqOptions(connection, principal, seconds, dry_run, key_file), **others)

    for option in reversed(OPTIONS):
        parsed = option(parsed)
    return parsed


@dlq.command
@with_options
@click.option(
    "--max-retry-count",
    type=click.IntRange(0, MOST_LEVELS),
    default=0,
    show_default=True,
    metavar="N",
    help="Retry until each has been retried more than N times.",
)
def retry(options: DlqOptions, max_retry_count: int) -> None:
    """Retry all pending dead letters of a connection that have been retried at most N times.

    A retried dead letter stays pending, and its retry count goes up by one. Retries therefore go up level by level:
    first those never retried, then those retried at most once, up to those retried at most N times. At the end each has
    been retried more than N times. With N = 0, the default, each one that was never retried is retried once.

    You can interrupt this (Ctrl-C or SIGTERM, exit code 130) and run it again: it continues where it stopped. Running
    it again after it is done changes nothing. If dead letters arrive meanwhile, some may be left over; the output says
    how many.

    Exits with 1 if a command was rejected, and with 3 if the outcome of a command is unknown. After 3, run it again.
    """
    _execute_all(options, Retry(max_retry_count))


@dlq.command
@with_options
@click.option("--resolution", type=click.Choice(get_args(Resolution)), required=True, help="What became of them.")
@click.option("--reason", metavar="TEXT", help="Kept in the log.")
@click.option(
    "--max-retry-count",
    type=click.IntRange(0, RETRY_COUNT),
    metavar="N",
    help="Only those retried at most N times.  [default: all]",
)
def resolve(options: DlqOptions, resolution: str, reason: str | None, max_retry_count: int | None) -> None:
    """Resolve all pending dead letters of a connection.

    You can interrupt this (Ctrl-C or SIGTERM, exit code 130) and run it again: it continues where it stopped. If dead
    letters arrive meanwhile, some may be left over; the output says how many.

    Exits with 1 if a command was rejected, and with 3 if the outcome of a command is unknown. After 3, run it again.
    """
    _execute_all(options, Resolve(max_retry_count, resolution, reason))


def _execute_all(options: DlqOptions, action: BulkAction) -> None:
    """Executes the action. If it fails or is interrupted, still reports how many retries or resolutions are done."""
    from daybook_infra.operations.dead_letters import OutcomeUnknown
    from daybook_infra.runtime.errors import DaybookError

    bulk = Progress(())
    try:
        run_interruptibly(_plan_and_execute(server_settings(), options, action, bulk))
    except KeyboardInterrupt:
        click.echo(
            f"interrupted, {_done_text(action, bulk)}: run it again, and it continues where it stopped", err=True
        )
        sys.exit(INTERRUPTED)
    except OutcomeUnknown as error:
        click.echo(
            f"Error: {error}; {_done_text(action, bulk)}: run it again, and it continues where it stopped", err=True
        )
        sys.exit(UNKNOWN)
    except DaybookError as error:
        if not bulk.done:
            raise
        raise DaybookError(f"{error}; {_done_text(action, bulk)} before that") from error


async def _plan_and_execute(settings: Settings, options: DlqOptions, action: BulkAction, bulk: Progress) -> None:
    from daybook_infra.operations.dead_letters import find_connection, pending_by_retries
    from daybook_infra.runtime.postgres.connections import connect
    from daybook_infra.runtime.postgres.migrations import verify_migrations

    await verify_migrations(settings)
    async with connect(settings, "daybook-dlq") as database:
        ref = await find_connection(database, options.connection_id)
        pending = await pending_by_retries(database, ref, action.max_retry_count)
        bulk.passes = plan_passes(action, pending)
        if options.dry_run:
            click.echo(_dry_run_text(sum(pending.values()), bulk))
        elif not pending:
            click.echo(f"connection {options.connection_id} has no pending dead letter that matches")
        else:
            await _send_all(settings, options, action, bulk, (database, ref))
            left = await pending_by_retries(database, ref, action.max_retry_count)
            click.echo(_done_text(action, bulk) + _arrivals_text(sum(left.values())))


async def _send_all(
    settings: Settings,
    options: DlqOptions,
    action: BulkAction,
    bulk: Progress,
    on: "tuple[OwnConnection, ConnectionRef]",
) -> None:
    from daybook_infra.operations.dead_letters import build_command, execute
    from daybook_infra.operations.publishing import publishing
    from daybook_infra.operations.service_key import service_key

    database, ref = on
    signer = Signer(options.principal, service_key(settings, options.key_file))
    async with publishing(settings, signer, options.seconds) as client:
        with progress(bulk.total, _done_unit(action)) as advance:
            while (current := bulk.current) is not None:
                command = build_command(ref, command_type(action), command_data(action, ref.connection_id, current))
                touched = await execute(client, database, ref, command)
                bulk.record(touched.ids, touched.remaining)
                advance(touched.ids)


def _dry_run_text(matching: int, bulk: Progress) -> str:
    times = f" and need {bulk.total} retries" if bulk.total != matching else ""
    return f"{matching} pending dead letters match{times}; nothing was sent"


def _arrivals_text(left: int) -> str:
    return f"; {left} arrived meanwhile and are left over: run it again for them" if left else ""


def _done_text(action: BulkAction, bulk: Progress) -> str:
    return f"{bulk.done} {_done_unit(action)}"


def _done_unit(action: BulkAction) -> str:
    return "retries done" if isinstance(action, Retry) else "dead letters resolved"
