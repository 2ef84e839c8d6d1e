"""Subcommands that print as those of `daybook` do. All but `with_messages` say on stderr that they have cleaned up."""

import asyncio
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import click
from rich.console import Console

from daybook_infra.runtime.logs import configure_logging, get_logger
from daybook_infra.runtime.settings import Settings
from daybook_projector.rebuild import cli as rebuilding

LINES = ("first", "second")


@contextmanager
def _cleaning_up() -> Iterator[None]:
    try:
        yield
    finally:
        click.echo("cleaned up", err=True)


@click.command
def as_table() -> None:
    with _cleaning_up():
        for line in LINES:
            Console().print(line)


@click.command
def as_rebuild() -> None:
    async def work() -> int:
        with _cleaning_up():
            for line in LINES:
                click.echo(line)
                await asyncio.sleep(0)
        return 0

    rebuilding._run("rebuild", lambda _: work())


@click.command
def below_handlers() -> None:
    with _cleaning_up():
        try:
            for line in LINES:
                click.echo(line)
        except Exception:  # noqa: BLE001 - as the commands do that keep exit code 1 for a result
            traceback.print_exc()


@click.command
def with_messages() -> None:
    configure_logging(Settings())
    for _ in range(2):
        click.echo("starting", err=True)
        get_logger(__name__).warning("message_lost")
    click.echo("went on")
