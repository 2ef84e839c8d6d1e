"""The commands in docs/auditing.md under "The past" and "Explain a row", run on a real Kafka and PostgreSQL."""

import re
import shlex

import pytest
from click.testing import CliRunner

from daybook_infra.operations.cli import main
from daybook_infra.runtime.settings import Settings
from support.documents import blocks, page, section
from support.logbook import Logbook, thing
from support.poison import ANN, ORG, busy
from support.processes import environment
from support.replaying import write
from support.stack import FreshSettings

PAST, ROW = (
    [line for block in blocks(section(page("docs/auditing.md"), title), "text") for line in block.text.splitlines()]
    for title in ("The past", "Explain a row")
)
IDS = {"orgs": ORG, "dlq_events": thing(3)}


@pytest.fixture(scope="module")
def log() -> Logbook:
    return busy()


@pytest.fixture(scope="module")
def settings(lasting_settings: FreshSettings, log: Logbook) -> Settings:
    made = lasting_settings(partitions=1)
    write(made, log)
    return made


@pytest.mark.parametrize("line", [*PAST, *ROW])
def test_each_command_of_the_page_succeeds(settings: Settings, line: str) -> None:
    """The commands run in the order of the page: the last one about the past removes the schema of the others."""
    command, _, does = re.split(r"(  +)", line, maxsplit=1)
    assert does, line
    words = shlex.split(command.replace("ORG USER", f"{ORG} {ANN}").replace("3.1042", "0.9"))
    table = next((word for word in words if word in IDS), "orgs")
    words = [IDS[table] if word == "ID" else word for word in words]
    assert words[:2] == ["daybook", "audit"]
    replaces = ["--replace"] if "--as-of" in words and "--diff" not in words else []
    result = CliRunner().invoke(main, [*words[1:], *replaces], env=environment(settings))
    assert (result.exit_code, result.stderr) == (0, ""), line
    assert result.stdout


def test_the_page_has_commands_in_both_sections() -> None:
    assert len(PAST) >= 5
    assert len(ROW) >= 3
