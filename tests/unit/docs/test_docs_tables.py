"""The documentation against the code: every table that the code can write stands in its page to the letter."""

import re
from collections.abc import Callable
from functools import partial

import pytest

from support import tables_of_code as of_code
from support.documents import page, section
from support.limits_of_code import limits_table

TABLES: dict[str, tuple[str, Callable[[], str]]] = {
    "commands": ("docs/commands.md", of_code.commands),
    "who may do what": ("docs/commands.md", of_code.rights),
    "logged codes": ("docs/commands.md", partial(of_code.codes, logged=True)),
    "unlogged codes": ("docs/commands.md", partial(of_code.codes, logged=False)),
    "entries": ("docs/log.md", of_code.entry_data),
    "messages of alerts": ("docs/integrations.md", of_code.alert_messages),
    "topics": ("docs/topics.md", of_code.topics),
    "metrics of the command service": ("docs/operations.md", of_code.metrics_of_command),
    "metrics of both": ("docs/operations.md", of_code.metrics_of_http),
    "metrics of the projector": ("docs/operations.md", of_code.metrics_of_projector),
    "limits": ("docs/security.md", limits_table),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_of_the_code_stands_in_its_page(name: str) -> None:
    path, of_the_code = TABLES[name]
    table = of_the_code()
    assert f"\n\n{table}\n\n" in page(path), f"put this into {path}:\n{table}"


def test_the_readme_has_a_line_for_each_command_of_the_command_line() -> None:
    listed = re.findall(r"^\| `(daybook [a-z ]+)` \|", section(page("README.md"), "The command line"), re.MULTILINE)
    assert sorted(listed) == sorted(of_code.command_line())


def test_every_code_that_a_decision_can_have_is_listed_as_logged() -> None:
    rejections = of_code.codes_of_decisions()
    assert rejections
    assert not rejections & of_code.UNLOGGED
