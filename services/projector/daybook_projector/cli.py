"""`daybook projector`: arguments in; a running instance out. Rebuilding is in `rebuild/cli.py`."""

import asyncio

import click
import uvloop

from daybook_infra.runtime.logs import configure_logging
from daybook_infra.runtime.settings import Settings, load_settings
from daybook_infra.runtime.signals import stoppable
from daybook_projector.rebuild.cli import heal, rebuild


@click.group()
def projector() -> None:
    """The projector: writes the log's entries to the tables."""


@projector.command()
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8001,
    show_default=True,
    help="Port of /readyz, /livez and /metrics.",
)
@click.option("--host", default=None, help="Address to listen on.  [default: DAYBOOK_HOST]")
def run(port: int, host: str | None) -> None:
    """Run one instance until SIGTERM or Ctrl-C. You can run several: they share the partitions."""
    settings = load_settings()
    configure_logging(settings, service="projector")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(stoppable(_run(settings, host or settings.host, port)))


async def _run(settings: Settings, host: str, port: int) -> None:
    # Imported here: `daybook --help` does not need the service, and a signal during the import must stop the process.
    from daybook_projector.main import run_service

    await run_service(settings, host, port)


projector.add_command(rebuild)
projector.add_command(heal)
