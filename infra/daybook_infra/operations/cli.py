"""The `daybook` command line. Services register their subcommands under the entry-point group `daybook.commands`."""

import logging
from importlib import import_module
from importlib.metadata import entry_points, version
from typing import Any, cast

import click

from daybook_infra.operations.standard_streams import end_with_reader
from daybook_infra.runtime.errors import DaybookError

GROUP = "daybook.commands"
OWN = {
    "alerts": "daybook_infra.operations.commands.alerts:alerts",
    "connections": "daybook_infra.operations.commands.connections:connections",
    "dlq": "daybook_infra.operations.commands.dlq:dlq",
    "init": "daybook_infra.operations.commands.init:init",
    "runs": "daybook_infra.operations.commands.runs:runs",
    "send": "daybook_infra.operations.commands.send:send",
    "stack": "daybook_infra.operations.commands.stack:stack",
    "status": "daybook_infra.operations.commands.status:status",
    "token": "daybook_infra.operations.commands.token:token",
    "up": "daybook_infra.operations.commands.up:up",
}


class Subcommands(click.Group):
    """Imports a subcommand only when it is used, and prints a `DaybookError` on stderr without a traceback. If
    the reader of its output goes away, the command ends.
    """

    def main(self, *args: Any, **kwargs: Any) -> Any:
        end_with_reader()
        return super().main(*args, **kwargs)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *OWN, *entry_points(group=GROUP).names})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        module, _, attribute = OWN.get(cmd_name, "").partition(":")
        if module:
            return cast("click.Command", getattr(import_module(module), attribute))
        for registered in entry_points(group=GROUP, name=cmd_name):
            return cast("click.Command", registered.load())
        return super().get_command(ctx, cmd_name)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except DaybookError as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=Subcommands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(version("daybook-infra"), prog_name="daybook")
def main() -> None:
    """Daybook: an event-sourced tenancy and integration hub.

    Settings are environment variables DAYBOOK_*; the README lists them.
    """
    # Keeps libraries' log lines off stderr until a service configures logging.
    logging.getLogger().addHandler(logging.NullHandler())
