"""The command line: help for every subcommand, one line per expected error, a traceback for bugs."""

import sys
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from daybook_infra.operations.cli import Subcommands, main
from daybook_infra.runtime.errors import DaybookError


def below(group: click.Group, path: str = "") -> Iterator[tuple[str, click.Command]]:
    """All subcommands of the group, and all subcommands of these, with their full names."""
    with click.Context(group) as context:
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            assert command is not None
            yield f"{path}{name}", command
            if isinstance(command, click.Group):
                yield from below(command, f"{path}{name} ")


SUBCOMMANDS = dict(below(main))
NO_SERVERS = {
    "DAYBOOK_KAFKA_BOOTSTRAP": "127.0.0.1:1",
    "DAYBOOK_DATABASE_URL": "postgresql://daybook:x@127.0.0.1:1/none",
}


@click.group(cls=Subcommands)
def broken() -> None:
    """A command line with an expected error and a bug."""


@broken.command
def away() -> None:
    raise DaybookError("Kafka is not reachable at 127.0.0.1:1")


@broken.command
def bug() -> None:
    raise ZeroDivisionError


@pytest.mark.parametrize("path", SUBCOMMANDS)
def test_every_subcommand_has_help(path: str) -> None:
    assert SUBCOMMANDS[path].help
    result = CliRunner().invoke(main, [*path.split(), "--help"])
    assert result.exit_code == 0
    assert result.output.startswith(f"Usage: main {path} ")


def test_the_version_is_shown() -> None:
    result = CliRunner().invoke(main, ["--version"])
    assert result.exit_code == 0
    assert result.output.startswith("daybook, version ")


@pytest.mark.parametrize("command", [["send"], ["dlq", "retry"], ["dlq", "resolve"]])
def test_a_timeout_is_a_number(command: list[str]) -> None:
    result = CliRunner().invoke(main, [*command, "--timeout", "nan"])
    assert result.exit_code == 2
    assert "Invalid value for '--timeout': nan is not a number." in result.stderr


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        ("projector rebuild --check --yes", "--check corrects nothing"),
        ("audit export DIR --since 2026-01-02T00:00:00Z --until 2026-01-01T00:00:00Z", "--until is before --since"),
    ],
)
def test_contradictory_options_are_refused(arguments: str, fault: str) -> None:
    result = CliRunner().invoke(main, arguments.split(), env=NO_SERVERS)
    assert (result.exit_code, result.stdout) == (2, "")
    assert fault in result.stderr


def test_an_unknown_subcommand_is_an_error() -> None:
    result = CliRunner().invoke(main, ["conquer"])
    assert result.exit_code == 2
    assert "No such command 'conquer'" in result.output


def test_an_expected_error_is_one_line_on_stderr() -> None:
    result = CliRunner().invoke(broken, ["away"])
    assert result.exit_code == 1
    assert result.stderr == "Error: Kafka is not reachable at 127.0.0.1:1\n"
    assert result.stdout == ""


def test_a_bug_keeps_its_exception() -> None:
    result = CliRunner().invoke(broken, ["bug"])
    assert isinstance(result.exception, ZeroDivisionError)


def test_an_invalid_setting_is_one_line_on_stderr() -> None:
    result = CliRunner().invoke(main, ["init"], env={"DAYBOOK_PARTITIONS": "0"})
    assert result.exit_code == 1
    assert result.stderr == "Error: DAYBOOK_PARTITIONS: Input should be greater than or equal to 1\n"


def test_a_subcommand_is_imported_only_when_used() -> None:
    sys.modules.pop("daybook_infra.operations.commands.status", None)
    CliRunner().invoke(main, ["token", "--help"])
    assert "daybook_infra.operations.commands.status" not in sys.modules


def test_a_reserved_or_malformed_sender_is_refused() -> None:
    for principal in ("service:daybook", "nobody", "user:1"):
        result = CliRunner().invoke(main, ["send", "--principal", principal], input="")
        assert result.exit_code == 2
        assert "--principal" in result.stderr
