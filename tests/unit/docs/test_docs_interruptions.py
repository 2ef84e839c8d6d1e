"""Commands that end with an exit code of their own after Ctrl-C name it in their help."""

import sys
from collections.abc import Iterator

import click
import pytest

from daybook_infra.operations.cli import main


def interruptible(command: click.Command, path: str = "daybook") -> Iterator[tuple[str, click.Command]]:
    """The commands, with their full names, whose modules define the exit code INTERRUPTED."""
    if isinstance(command, click.Group):
        with click.Context(command) as context:
            for name in command.list_commands(context):
                inner = command.get_command(context, name)
                assert inner is not None
                yield from interruptible(inner, f"{path} {name}")
    elif command.callback is not None and hasattr(sys.modules[command.callback.__module__], "INTERRUPTED"):
        yield path, command


COMMANDS = dict(interruptible(main))


def test_the_interruptible_commands_are_found() -> None:
    assert {"daybook audit verify", "daybook dlq retry", "daybook projector heal"} <= COMMANDS.keys()


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_an_interruptible_command_names_its_exit_code(name: str) -> None:
    assert "130" in (COMMANDS[name].help or "")
