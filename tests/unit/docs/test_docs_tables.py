"""Every table that can be generated from the code is on its page, word for word."""

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
    "metrics of the read API": ("docs/operations.md", of_code.metrics_of_read_api),
    "limits": ("docs/security.md", limits_table),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_generated_table_is_on_its_page(name: str) -> None:
    path, generate = TABLES[name]
    table = generate()
    assert f"\n\n{table}\n\n" in page(path), f"put this into {path}:\n{table}"


def test_the_readme_lists_every_subcommand() -> None:
    listed = re.findall(r"^\| `(daybook [a-z -]+)` \|", section(page("README.md"), "The command line"), re.MULTILINE)
    assert sorted(listed) == sorted(of_code.command_line())
