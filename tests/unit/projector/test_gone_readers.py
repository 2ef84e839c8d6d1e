"""A command whose reader has gone ends quietly with exit code 141; lost messages on stderr change no exit code."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.listed_log import a_log, listed, write_export

AWAY = {"DAYBOOK_KAFKA_BOOTSTRAP": "127.0.0.1:1", "DAYBOOK_DATABASE_URL": "postgresql://daybook:x@127.0.0.1:1/daybook"}
DAYBOOK = (sys.executable, "-m", "daybook_infra")
SUBCOMMAND = """
import sys
from daybook_infra.operations.cli import OWN, main
OWN["test"] = "support.printing_command:" + sys.argv[1]
main(["test"])
"""
OF_SUBCOMMAND = (sys.executable, "-c", SUBCOMMAND)
TESTS = Path(__file__).parents[2]
READER_GONE = 141
CLEANED_UP = "cleaned up\n"


@pytest.fixture
def unread() -> Iterator[int]:
    """The writing end of a pipe whose reader has gone."""
    reading, writing = os.pipe()
    os.close(reading)
    yield writing
    os.close(writing)


@pytest.fixture
def closed_terminal() -> Iterator[int]:
    controlling, terminal = os.openpty()
    os.close(controlling)
    yield terminal
    os.close(terminal)


def run(*program: str | Path, **streams: Any) -> subprocess.CompletedProcess[str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("DAYBOOK_")}
    env = own | AWAY | {"PYTHONPATH": str(TESTS)}
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | streams
    return subprocess.run(program, env=env, text=True, check=False, timeout=60, **streams)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export") / "whole"
    asyncio.run(write_export(folder, listed(a_log())))
    return folder


@pytest.mark.parametrize("options", [(), ("--json",)], ids=["text", "json"])
def test_verify_ends_when_its_reader_has_gone(unread: int, folder: Path, options: tuple[str, ...]) -> None:
    done = run(*DAYBOOK, "audit", "verify", "--export", folder, *options, stdout=unread)
    assert (done.returncode, done.stderr) == (READER_GONE, "")


@pytest.mark.parametrize("arguments", ["--help", "audit --help", "--version"])
def test_help_ends_when_its_reader_has_gone(unread: int, arguments: str) -> None:
    done = run(*DAYBOOK, *arguments.split(), stdout=unread)
    assert (done.returncode, done.stderr) == (READER_GONE, "")


@pytest.mark.parametrize("name", ["as_table", "as_rebuild", "below_handlers"])
def test_a_command_cleans_up_when_its_reader_has_gone(unread: int, name: str) -> None:
    done = run(*OF_SUBCOMMAND, name, stdout=unread)
    assert (done.returncode, done.stderr) == (READER_GONE, CLEANED_UP)


@pytest.mark.parametrize("name", ["as_table", "as_rebuild", "below_handlers"])
def test_output_is_complete_if_it_is_read(name: str) -> None:
    done = run(*OF_SUBCOMMAND, name)
    assert (done.stdout, done.stderr) == ("first\nsecond\n", CLEANED_UP)


def test_a_lost_message_changes_no_exit_code(unread: int) -> None:
    assert run(*DAYBOOK, "projector", "rebuild", "--check", stderr=unread).returncode == 2


@pytest.mark.parametrize("stream", ["unread", "closed_terminal"])
def test_a_command_goes_on_if_its_messages_and_logs_are_lost(stream: str, request: pytest.FixtureRequest) -> None:
    done = run(*OF_SUBCOMMAND, "with_messages", stderr=request.getfixturevalue(stream))
    assert (done.returncode, done.stdout) == (0, "went on\n")
