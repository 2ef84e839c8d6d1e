"""`daybook dlq retry|resolve`: all of a connection's pending dead letters, by one bulk command after the other."""

import asyncio
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
from daybook_infra.operations.bulk import BulkAction, Progress, Resolve, Retry, command_data, command_type, plan_passes
from daybook_infra.operations.commands.progress import progress
from daybook_infra.operations.server_settings import server_settings
from daybook_infra.runtime.kafka.signer import Signer
from daybook_infra.runtime.settings import Settings

if TYPE_CHECKING:
    from daybook_infra.operations.dead_letters import ConnectionRef
    from daybook_infra.runtime.postgres.connections import OwnConnection

UNKNOWN, INTERRUPTED = 3, 130
# Each level is a pass over all that are pending.
MOST_LEVELS = 100


@dataclass(frozen=True, slots=True)
class Order:
    """On which connection, as whom, how long a command may take, whether to do it at all, and where its key is."""

    connection_id: UUID
    principal: Service
    seconds: float
    dry_run: bool
    key_file: Path | None


@click.group
def dlq() -> None:
    """Work off the dead letters of a connection, however many there are."""


def ordered(command: Callable[..., None]) -> Callable[..., None]:
    """Adds the options that both subcommands have; the command gets them as `order`."""

    @wraps(command)
    def with_order(
        connection: UUID,
        principal: Service,
        seconds: float,
        key_file: Path | None,
        *,
        dry_run: bool,
        **others: object,
    ) -> None:
        command(order=Order(connection, principal, seconds, dry_run, key_file), **others)

    whole = click.option("--dry-run", is_flag=True, help="Only count what would be touched.")(with_order)
    whole = click.option(
        "--timeout",
        "seconds",
        type=click.FloatRange(min=0, min_open=True),
        default=30.0,
        show_default=True,
        metavar="SECONDS",
        help="How long to wait for each command's outcome, and for the tables to show it.",
    )(whole)
    whole = click.option(
        "--key-file",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Holds the key that the service signs its records with.  [default: DAYBOOK_SERVICE_KEY]",
    )(whole)
    whole = click.option(
        "--principal", default="service:cli", show_default=True, callback=_service, help="Who sends: service:NAME."
    )(whole)
    return click.option("--connection", type=click.UUID, required=True, metavar="ID", help="Whose dead letters.")(whole)


def _service(_context: click.Context, _option: click.Parameter, text: str) -> Service:
    try:
        principal = parse_publisher(text.encode())
    except InvalidPrincipal as error:
        raise click.BadParameter(str(error)) from error
    if not isinstance(principal, Service):
        raise click.BadParameter("only a service acts without an actor: service:NAME")
    return principal


@dlq.command
@ordered
@click.option(
    "--max-retry-count",
    type=click.IntRange(0, MOST_LEVELS),
    default=0,
    show_default=True,
    metavar="N",
    help="Go on until each has been retried more than N times.",
)
def retry(order: Order, max_retry_count: int) -> None:
    """Retry all pending dead letters of a connection that have been retried at most N times.

    A dead letter that is retried stays pending, and its retry count goes up by one. So this goes up in levels: first
    those that were never retried, then those retried at most once, up to those retried at most N times. At the end
    each has been retried more than N times; with N = 0, the default, each that was never retried has been retried once.

    It may be interrupted (Ctrl-C, exit code 130) and repeated: it goes on where it stopped, and repeated after its end
    it changes nothing. What arrives while it runs may be left over; it says so.

    Exits with 1 if a command was rejected, with 3 if one has no known outcome: then repeat it.
    """
    _work_off(order, Retry(max_retry_count))


@dlq.command
@ordered
@click.option("--resolution", type=click.Choice(get_args(Resolution)), required=True, help="What became of them.")
@click.option("--reason", metavar="TEXT", help="Kept in the log.")
@click.option(
    "--max-retry-count",
    type=click.IntRange(0, RETRY_COUNT),
    metavar="N",
    help="Only those retried at most N times.  [default: all]",
)
def resolve(order: Order, resolution: str, reason: str | None, max_retry_count: int | None) -> None:
    """Resolve all pending dead letters of a connection.

    It may be interrupted (Ctrl-C, exit code 130) and repeated: it goes on where it stopped. What arrives while it runs
    may be left over; it says so.

    Exits with 1 if a command was rejected, with 3 if one has no known outcome: then repeat it.
    """
    _work_off(order, Resolve(max_retry_count, resolution, reason))


def _work_off(order: Order, work: BulkAction) -> None:
    """Says at the end, on whatever way it ends, how many are done."""
    from daybook_infra.operations.dead_letters import OutcomeUnknown
    from daybook_infra.runtime.errors import DaybookError

    sweep = Progress(())
    try:
        asyncio.run(_run(server_settings(), order, work, sweep))
    except KeyboardInterrupt:
        click.echo(f"interrupted, {_done(work, sweep)}: repeat it, and it goes on where it stopped", err=True)
        sys.exit(INTERRUPTED)
    except OutcomeUnknown as error:
        click.echo(f"Error: {error}; {_done(work, sweep)}: repeat it, and it goes on where it stopped", err=True)
        sys.exit(UNKNOWN)
    except DaybookError as error:
        if not sweep.done:
            raise
        raise DaybookError(f"{error}; {_done(work, sweep)} before") from error


async def _run(settings: Settings, order: Order, work: BulkAction, sweep: Progress) -> None:
    from daybook_infra.operations.dead_letters import find_connection, pending_by_retries
    from daybook_infra.runtime.postgres.connections import connect
    from daybook_infra.runtime.postgres.migrations import verify_migrations

    await verify_migrations(settings)
    async with connect(settings, "daybook-dlq") as database:
        place = await find_connection(database, order.connection_id)
        pending = await pending_by_retries(database, place, work.max_retry_count)
        sweep.passes = plan_passes(work, pending)
        if order.dry_run:
            click.echo(_preview(sum(pending.values()), sweep))
        elif not pending:
            click.echo(f"connection {order.connection_id} has no pending dead letter that matches")
        else:
            await _send_all(settings, order, work, sweep, (database, place))
            left = await pending_by_retries(database, place, work.max_retry_count)
            click.echo(_done(work, sweep) + _arrived(sum(left.values())))


async def _send_all(
    settings: Settings, order: Order, work: BulkAction, sweep: Progress, where: "tuple[OwnConnection, ConnectionRef]"
) -> None:
    from daybook_infra.operations.dead_letters import envelope, execute
    from daybook_infra.operations.publishing import publishing
    from daybook_infra.operations.service_key import service_key

    database, place = where
    signer = Signer(order.principal, service_key(settings, order.key_file))
    async with publishing(settings, signer, order.seconds) as client:
        with progress(sweep.total, _word(work)) as advance:
            while (current := sweep.current) is not None:
                command = envelope(place, command_type(work), command_data(work, place.connection_id, current))
                touched = await execute(client, database, place, command)
                sweep.record(touched.ids, touched.remaining)
                advance(touched.ids)


def _preview(matching: int, sweep: Progress) -> str:
    times = f", in {sweep.total} retries" if sweep.total != matching else ""
    return f"{matching} pending dead letters match{times}; nothing was sent"


def _arrived(left: int) -> str:
    return f"; {left} arrived meanwhile and are left: repeat it for them" if left else ""


def _done(work: BulkAction, sweep: Progress) -> str:
    return f"{sweep.done} {_word(work)}"


def _word(work: BulkAction) -> str:
    return "retries done" if isinstance(work, Retry) else "dead letters resolved"
