"""`daybook projector …`: arguments in, a running service out."""

import asyncio

import click

DEFAULT_PORT = 8001


@click.group()
def projector() -> None:
    """The service that folds the log into the tables."""


@projector.command()
@click.option("--host", help="Address to listen on.  [default: DAYBOOK_HOST]")
@click.option("--port", default=DEFAULT_PORT, show_default=True, type=click.IntRange(1, 65_535))
def run(host: str | None, port: int) -> None:
    """Run one instance until SIGTERM or Ctrl-C; run as many as you like.

    Each takes a share of the partitions. /livez, /readyz and /metrics are served on the port.
    """
    from daybook_infra.logs import configure_logging
    from daybook_infra.running import running_settings
    from daybook_projector.main import serve

    settings = running_settings()
    configure_logging(settings, service="projector")
    asyncio.run(serve(settings, host or settings.host, port))
