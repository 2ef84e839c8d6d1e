"""`daybook audit`: the group of the auditors' subcommands. Each has its own module under `commands/`."""

from importlib import import_module
from typing import cast

import click

MODULES = ("compare", "explain", "export", "replay", "restore-topic", "tail", "verify")


class AuditCommands(click.Group):
    """Imports a subcommand only when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *MODULES})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in MODULES:
            return super().get_command(ctx, cmd_name)
        module = import_module(f"daybook_projector.audit.commands.{cmd_name.replace('-', '_')}")
        return cast("click.Command", getattr(module, cmd_name.replace("-", "_")))


@click.group(cls=AuditCommands)
def audit() -> None:
    """Prove that log and tables agree, look into the past, and copy the log."""
