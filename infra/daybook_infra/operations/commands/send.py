"""`daybook send`: publishes commands from JSON lines and prints an outcome line for each, in the same order."""

import sys
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import click

from daybook_contracts.results import Accepted, Pending, Result, encode_item, encode_record
from daybook_contracts.senders.principals import InvalidPrincipal, parse_publisher
from daybook_contracts.senders.signer import Signer
from daybook_infra.operations.commands.interruptible import run_interruptibly
from daybook_infra.operations.commands.numbers import Number
from daybook_infra.operations.server_settings import server_settings
from daybook_infra.operations.service_key import service_key
from daybook_infra.runtime.settings import Settings

REJECTED, UNKNOWN, INTERRUPTED = 1, 3, 130
INTERRUPTED_TEXT = (
    "interrupted: commands without a printed outcome may have been sent, and may still be decided; "
    "sending them again with their ids is safe"
)


@click.command
@click.argument("file", type=click.File("rb"), default="-")
@click.option("--principal", default="service:cli", show_default=True, help="Who sends: service:NAME or user:ID.")
@click.option(
    "--key-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="File with the key that the service signs its records with.  [default: DAYBOOK_SERVICE_KEY]",
)
@click.option(
    "--timeout",
    "seconds",
    type=Number(min=0, min_open=True),
    default=30.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for each outcome.",
)
@click.option("--rejections-ok", is_flag=True, help="Exit with 0 even if commands were rejected.")
def send(file: BinaryIO, principal: str, key_file: Path | None, seconds: float, *, rejections_ok: bool) -> None:
    """Publish the commands in FILE (JSON lines; stdin by default) to the commands topic.

    Each line is published unchanged; blank lines are skipped. Each outcome is printed as a JSON line, in the order of
    the input. A line that is not JSON, or has no id or no routing key, is not published; its outcome is
    INVALID_COMMAND.

    Exits with 0 if all commands were accepted, with 1 if any was rejected or if Kafka cannot be reached at the start,
    and with 3 if any has no known outcome: it was not decided in time (status 202), or Kafka did not acknowledge it
    (503). Exits with 130 if it was interrupted (Ctrl-C or SIGTERM): commands whose outcomes were not printed may still
    be decided. Sending any of them again with its id is safe.
    """
    try:
        sender = parse_publisher(principal.encode())
    except InvalidPrincipal as error:
        raise click.BadParameter(str(error), param_hint="--principal") from error
    settings = server_settings()
    signer = Signer(sender, service_key(settings, key_file))
    try:
        tally = run_interruptibly(_send(settings, file, signer, seconds))
    except KeyboardInterrupt:
        click.echo(INTERRUPTED_TEXT, err=True)
        sys.exit(INTERRUPTED)
    sys.exit(tally.exit_code(rejections_ok=rejections_ok))


@dataclass(slots=True)
class Tally:
    """How many outcomes of each kind were printed."""

    accepted: int = 0
    rejected: int = 0
    unknown: int = 0

    def count(self, outcome: Result | Pending) -> None:
        from daybook_infra.operations.publishing import is_known

        if isinstance(outcome, Accepted):
            self.accepted += 1
        elif is_known(outcome):
            self.rejected += 1
        else:
            self.unknown += 1

    def exit_code(self, *, rejections_ok: bool) -> int:
        if self.unknown:
            return UNKNOWN
        return REJECTED if self.rejected and not rejections_ok else 0

    def __str__(self) -> str:
        return f"{self.accepted} accepted, {self.rejected} rejected, {self.unknown} unknown"


async def _send(settings: Settings, file: BinaryIO, signer: Signer, seconds: float) -> Tally:
    from daybook_infra.operations.line_reader import read_lines
    from daybook_infra.operations.publishing import publishing
    from daybook_infra.operations.sending import outcomes

    tally = Tally()
    # Outcomes printed to the terminal are progress enough.
    progress = sys.stderr.isatty() and not sys.stdout.isatty()
    try:
        async with (
            publishing(settings, signer, seconds) as client,
            aclosing(outcomes(client, read_lines(file))) as done,
        ):
            async for outcome in done:
                click.echo(encode_item(outcome) if isinstance(outcome, Pending) else encode_record(outcome))
                tally.count(outcome)
                if progress:
                    click.echo(f"\r{tally}", nl=False, err=True)
    finally:
        if progress:
            click.echo(err=True)
    return tally
