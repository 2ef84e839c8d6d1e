"""The command line: help everywhere, one line per error, bugs not hidden."""

import sys

import click
import pytest
from click.testing import CliRunner

from daybook_infra.operations.cli import Subcommands, main
from daybook_infra.runtime.errors import DaybookError

OURS = ("init", "token", "send", "status", "alerts", "runs", "connections", "dlq")


@click.group(cls=Subcommands)
def broken() -> None:
    """A command line that fails in both ways."""


@broken.command
def away() -> None:
    raise DaybookError("Kafka is not reachable at 127.0.0.1:1")


@broken.command
def bug() -> None:
    raise ZeroDivisionError


@pytest.mark.parametrize("name", OURS)
def test_every_subcommand_has_help(name: str) -> None:
    shown = CliRunner().invoke(main, [name, "--help"])
    assert shown.exit_code == 0
    assert shown.output.startswith(f"Usage: main {name}")


def test_the_version_is_shown() -> None:
    shown = CliRunner().invoke(main, ["--version"])
    assert shown.exit_code == 0
    assert shown.output.startswith("daybook, version ")


def test_an_unknown_subcommand_is_an_error() -> None:
    shown = CliRunner().invoke(main, ["conquer"])
    assert shown.exit_code == 2
    assert "No such command 'conquer'" in shown.output


def test_an_expected_error_is_one_line_on_stderr() -> None:
    shown = CliRunner().invoke(broken, ["away"])
    assert shown.exit_code == 1
    assert shown.stderr == "Error: Kafka is not reachable at 127.0.0.1:1\n"
    assert shown.stdout == ""


def test_a_bug_is_not_worded_away() -> None:
    shown = CliRunner().invoke(broken, ["bug"])
    assert isinstance(shown.exception, ZeroDivisionError)


def test_a_faulty_setting_is_one_line_on_stderr() -> None:
    shown = CliRunner().invoke(main, ["init"], env={"DAYBOOK_PARTITIONS": "0"})
    assert shown.exit_code == 1
    assert shown.stderr == "Error: DAYBOOK_PARTITIONS: Input should be greater than or equal to 1\n"


def test_a_subcommand_is_imported_only_when_it_is_asked_for() -> None:
    sys.modules.pop("daybook_infra.operations.commands.status", None)
    CliRunner().invoke(main, ["token", "--help"])
    assert "daybook_infra.operations.commands.status" not in sys.modules


def test_a_reserved_or_malformed_sender_is_refused() -> None:
    for principal in ("service:daybook", "nobody", "user:1"):
        shown = CliRunner().invoke(main, ["send", "--principal", principal], input="")
        assert shown.exit_code == 2
        assert "--principal" in shown.stderr
