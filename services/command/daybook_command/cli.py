"""The subcommand `daybook command`: runs an instance of the command service."""

import asyncio

import click
import uvloop

from daybook_infra.runtime.logs import configure_logging
from daybook_infra.runtime.settings import Settings, load_settings
from daybook_infra.runtime.signals import stoppable


@click.group()
def command() -> None:
    """The command service: takes commands, decides them and appends entries to the log."""


@command.command()
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="Port of the HTTP door.")
@click.option("--host", default=None, help="Address to listen on.  [default: DAYBOOK_HOST]")
def run(port: int, host: str | None) -> None:
    """Run one instance until SIGTERM or Ctrl-C. You can run several: they share the partitions."""
    settings = load_settings()
    configure_logging(settings, service="command")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(stoppable(_run(settings, host or settings.host, port)))


async def _run(settings: Settings, host: str, port: int) -> None:
    # Imported here: `daybook --help` does not need the service, and a signal during the import must stop the process.
    from daybook_command.main import run_service

    await run_service(settings, host, port)
